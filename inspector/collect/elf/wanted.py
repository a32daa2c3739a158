"""The watch plan as sets, so that each symbol of each file is judged by one look-up."""

import re
from collections.abc import Iterable
from functools import cached_property

from inspector.stream.requests import Plan, prefix_pattern

from .libc_names import LIBC_NAMES


class Wanted:
    """Which names and files a plan asks for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sonames = {soname.encode() for api in plan.apis for soname in api.sonames}
        self.functions = {function.name.encode() for api in plan.apis for function in api.functions}
        self.marks = self.functions | {name.encode() for api in plan.apis for name in api.private}
        self.names = self.marks | {name.encode() for name in LIBC_NAMES}
        self.prefixes = sorted({prefix for api in plan.apis for prefix in api.prefixes})

    @cached_property
    def has_prefix(self) -> "re.Pattern[bytes]":
        """Matches names that begin with an API's prefix: cuInit and hsa_init, but not cublasCreate."""
        return re.compile(prefix_pattern(self.prefixes).encode())

    @cached_property
    def heads(self) -> frozenset[bytes]:
        """The first three bytes of names that matter: of the plan, with an API's prefix, or compiled as C++."""
        heads = {(name + b"\0")[:3] for name in self.names}
        for prefix in self.prefixes:
            whole = [prefix.encode() + bytes([letter]) for letter in range(ord("A"), ord("Z") + 1)]
            heads.update((name + bytes([rest]))[:3] for name in whole for rest in range(256))
        return frozenset(heads | {b"_Z%d" % digit for digit in range(10)})

    def is_provider(self, soname: bytes | None, defined: Iterable[bytes]) -> bool:
        """Whether a file implements an API: by its SONAME, or by two or more of an API's names."""
        if soname in self.sonames:
            return True
        matches = self.has_prefix.match
        return sum(name in self.marks or matches(name) is not None for name in defined) >= 2


_last: Wanted | None = None


def wanted_of(plan: Plan) -> Wanted:
    """The sets of a plan; a session has one plan, so the last one is kept."""
    global _last
    if _last is None or _last.plan is not plan:
        _last = Wanted(plan)
    return _last
