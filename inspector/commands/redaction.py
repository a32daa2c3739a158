"""`--redact`: names that identify a person or a machine are hidden in what a command writes."""

from typing import TYPE_CHECKING

from inspector.commands.errors import say
from inspector.commands.options import Options

if TYPE_CHECKING:
    from inspector.model.state import State
    from inspector.report.schema import Report
    from inspector.stream.redact import Redactor


def redacted(built: "Report", options: Options, state: "State | None" = None) -> "Report":
    """The report with names hidden when --redact asks for it; the preview goes to stderr."""
    redactor = redactor_of(options)
    if redactor is None:
        return built
    from inspector.stream.redact import rewritten

    redactor.learn(built.observation.host, "HOST")
    if state is not None:
        greet(redactor, state)
    made = rewritten(built, redactor.text)
    made = rewritten(made, redactor.text)  # a name that was met late also stood in what came before it
    tell_hidden(redactor)
    return made


def redactor_of(options: Options) -> "Redactor | None":
    """The redactor when --redact asks for one, else None."""
    if not options.redact:
        return None
    from inspector.stream.redact import Redactor

    return Redactor()


def greet(redactor: "Redactor", state: "State") -> None:
    """Tell the redactor the names of the observed machine."""
    if state.session is not None:
        redactor.greet(state.session)


def tell_hidden(redactor: "Redactor | None") -> None:
    """The preview of what was hidden, on stderr."""
    if redactor is not None:
        say("hidden: " + ("; ".join(redactor.preview()) or "nothing was found that identifies a person or a machine"))
