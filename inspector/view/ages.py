"""How long ago something was, as text that changes each second at first and then less often, to save repaints."""

SECOND = 1_000_000_000
_STEPS = (10, 30)
"""Seconds at which the words for a longer rest change; from a minute on they do so once a minute."""


def age(ns: int) -> str:
    """`0:12`, `3:07`, `2:15:00`: minutes and seconds since."""
    minutes, seconds = divmod(max(0, ns) // SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def since(ns: int) -> str:
    """`2 s ago`, `30 s ago`, `5 min ago`, `2 h ago`."""
    seconds = max(0, ns) // SECOND
    if seconds < _STEPS[0]:
        return f"{seconds} s ago"
    if seconds < 60:
        return f"{max(step for step in _STEPS if step <= seconds)} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    return f"{seconds // 3600} h ago"
