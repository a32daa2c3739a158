"""What the reactor is to count early: the functions of the plan, in files whose names are likely."""

import os
import sys
from collections.abc import Callable, Iterator

from inspector.stream.requests import Configure, Plan

from ...kernel.btf import BtfError
from ...kernel.permissions import try_probes
from ...kernel.refusals import Refusal, foreign_namespace
from ...reactor.arming import Interests
from ...reactor.client import Reactor
from .call_plans import function_at, planned_functions

_SHORTEST_STEM = 4
_LINK_TIME = ("stubs",)
"""Kinds of places with files that programs are linked with and should not load: counted when they are opened."""


def start_reactor(configure: Configure, is_awaited: Callable[[int], bool]) -> Reactor | None:
    """The helper process that counts from the first call on; None where nothing may be counted.

    To be called while this process has one thread.
    """
    if not configure.count or foreign_namespace() or isinstance(try_probes(), Refusal):
        return None
    planned = planned_functions(configure.plan)
    if not planned:
        return None
    interests = Interests(
        names=list(planned),
        stems=sorted(set(_stems(configure.plan))),
        places=[folder for place in configure.plan.places if place.kind not in _LINK_TIME for folder in place.folders],
        function_at=lambda site: function_at(site, planned[site.name].plan),
        is_awaited=is_awaited,
    )
    try:
        return Reactor(interests)
    except (OSError, BtfError) as error:
        if os.environ.get("INSPECTOR_DEBUG"):
            print(f"inspector: no reactor: {error}", file=sys.stderr)
        return None


def _stems(plan: Plan) -> Iterator[str]:
    """What names of shims and vendors' libraries have in common: `cuda`, `nvidia-ml`, `nvml`, `cudart`."""
    for api in plan.apis:
        yield from (soname.removeprefix("lib").partition(".so")[0] for soname in api.sonames)
        yield from (prefix for prefix in api.prefixes if len(prefix) >= _SHORTEST_STEM)
