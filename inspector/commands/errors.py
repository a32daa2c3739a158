"""What the user can do something about, and the exit codes of the command line."""

import sys

CUT_SHORT, USAGE, NO_TARGET, NOT_PERMITTED = 1, 2, 3, 4


class UserError(OSError):
    """One sentence, the command that helps, an exit code; an OSError, because screens show those as words."""

    def __init__(self, sentence: str, command: str = "", code: int = USAGE) -> None:
        super().__init__(sentence)
        self.command, self.code = command, code


def say(sentence: str) -> None:
    """Words for the person go to stderr; stdout is data."""
    from inspector.stream.own_command import runnable  # `--help` says nothing of this kind, and needs none of it

    print(f"inspector: {runnable(sentence)}", file=sys.stderr, flush=True)
