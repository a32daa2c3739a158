"""What a library opened inside its own calls: that is what it looks at before it answers."""

from collections.abc import Iterable

from inspector.model.attempts.row import Attempt
from inspector.model.usage import Use
from inspector.stream.calls import CallReturned, FileOpened


def opened_in_call(leaf: Attempt) -> list[FileOpened]:
    """Files that the thread of a call opened inside it; libraries and logs are left out."""
    return _within(leaf, [leaf.sample] if leaf.sample is not None else [])


def opened_by_provider(leaf: Attempt, uses: list[Use]) -> list[FileOpened]:
    """The same of all calls of its provider so far."""
    calls = (one for use in uses for one in use.calls.values() if one.function.library == leaf.provider)
    return _within(leaf, [sample for one in calls for sample in one.samples])


def _within(leaf: Attempt, samples: Iterable[CallReturned]) -> list[FileOpened]:
    spans = [(one.tid, one.entered, one.at) for one in samples if one.entered]
    return [
        one for one in leaf.process.opens
        if one.at <= leaf.at and not one.path.endswith(".log") and ".so" not in one.path
        and any(one.tid == tid and begin <= one.at <= end for tid, begin, end in spans)
    ]  # fmt: skip
