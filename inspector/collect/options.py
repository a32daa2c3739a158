"""What the collector was asked to do by its command line."""

import msgspec


class Options(msgspec.Struct, frozen=True):
    """The words of the command line."""

    target: str = ""
    wait: bool = False
    """The target may not be born yet, and each later start of it counts too."""
    command: tuple[str, ...] = ()
    """To be started under observation, instead of a target."""
    run_output: str = "stderr"
    """Where that command's output goes: `stderr`, `null` or a path."""
    as_caller: bool = False
    """The command is run by whom sudo(8) was called by."""
    keep: bool = False
    """Leave that command running at the end."""
    list: bool = False
    capabilities: bool = False
    logs: tuple[str, ...] = ()
