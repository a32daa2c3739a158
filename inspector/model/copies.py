"""Where else a name is that was asked for in vain, as the collector's search found it."""

from inspector.stream.libraries import CopiesFound, Copy

from .state import Process, State


def where_is(state: State, process: Process, asked: str, *kinds: str) -> CopiesFound | None:
    """The search for a name that this process asked for, or else that another one of the tree did; None: none was done.

    `kinds` as in `CopiesFound.kind`, all when none is given. A path that was asked for is also known by its file name.
    """
    wanted = kinds or ("library", "version", "symbol", "device", "provider")
    for table in (process.copies, state.copies):
        for name in (asked, asked.rsplit("/", 1)[-1]):
            for kind in wanted:
                if (found := table.get((kind, name))) is not None:
                    return found
    return None


def usable_copies(found: CopiesFound) -> list[Copy]:
    """Those that would do if they were reached, the nearest first: own file tree before outside, loader's order before
    other places, and stubs of a toolkit never.
    """
    good = [copy for copy in found.copies if copy.usable is not False and copy.place != "stubs" and not copy.problem]
    return sorted(good, key=lambda copy: (copy.outside, not copy.rule, copy.order))
