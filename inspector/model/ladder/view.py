"""What a rung looks at: one API in one process, with everything around it."""

import msgspec

from inspector.model.profiles import Profiles
from inspector.model.state import Process, State
from inspector.model.usage import Provider, Use
from inspector.model.verdict import Mode


class View(msgspec.Struct, frozen=True):
    """One API in one process."""

    state: State
    profiles: Profiles
    process: Process
    use: Use
    mode: Mode

    @property
    def provider(self) -> Provider | None:
        """The file that answers: the one that consumers call, else the preloaded one, else the first."""
        return main_provider(self.use)


def main_provider(use: Use) -> Provider | None:
    """The file that answers: the one that consumers call, else a preloaded one, else the first that is still there."""
    called = [calls.function.file for calls in use.calls.values() if calls.by_consumer]
    for provider in use.providers:
        if provider.library.file in called:
            return provider
    for provider in use.providers:
        if provider.library.route == "preload" and not provider.gone:
            return provider
    return next((p for p in use.providers if not p.gone), use.providers[0] if use.providers else None)
