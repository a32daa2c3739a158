"""How an observation begins: what has to be done while this process has one thread, then the agent."""

from inspector.stream.requests import Configure

from .agent import Agent
from .kernel.descriptors import enlarge_table, raise_limit
from .kernel.privileges import give_up
from .launch import Launch
from .options import Options
from .request_reader import RequestReader
from .session_events import asked, ended, missing, started, write_all
from .sources.calls.early_calls import start_reactor
from .target import TargetError, awaited


def observe(options: Options, configure: Configure, request_reader: RequestReader) -> int:
    """Fork and give privileges up before threads exist, then let the agent do the rest."""
    try:
        launch = Launch(options.command, options.run_output, as_caller=options.as_caller) if options.command else None
    except TargetError as error:
        write_all([started(asked(options), []), missing(error), ended(error.why, ok=False)])
        return 0
    raise_limit()
    enlarge_table()
    give_up(started_a_command=launch is not None)
    return Agent(options, configure, request_reader, launch, start_reactor(configure, awaited(options.target))).run()
