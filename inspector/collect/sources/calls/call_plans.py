"""What the watch plan says about single functions: which to count, what memory to read, what the bytes mean."""

import re
import struct
import uuid
from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from inspector.stream.requests import Argument, FunctionPlan, OutValue, Plan, ValueKind, prefix_pattern
from inspector.stream.text import decode

from ...elf.sites import Site
from ...kernel.call_maps import MOST_READS, READ_ROOM
from ...kernel.counter_block import Read
from ...kernel.file_watch import Function
from .export_tables import OF_TABLE

_NUMBERS = {"i32": "<i", "u32": "<I", "i64": "<q", "u64": "<Q", "f32": "<f", "f64": "<d", "pointer": "<Q"}
_SIZES = {"uuid": 16, "string": 64, "hex": 16, "bytes": 16}
_BEHIND_POINTER = ("string", "uuid", "hex", "bytes")

Values = dict[str, int | str | float]


class PlannedFunction(msgspec.Struct, frozen=True):
    """A function of the plan with the API that it belongs to."""

    api: str
    plan: FunctionPlan


class NamedFunctions:
    """All functions that have to do with the APIs of a plan, by name: listed ones, and others by their prefix."""

    def __init__(self, plan: Plan) -> None:
        self._listed = planned_functions(plan)
        self._apis = [(api, re.compile(prefix_pattern(api.prefixes))) for api in plan.apis]
        self._others: dict[str, PlannedFunction | None] = {}

    def is_listed(self, name: str) -> bool:
        """The plan names it."""
        return name in self._listed

    @property
    def listed(self) -> Iterable[str]:
        """Names in the plan."""
        return self._listed

    def get(self, name: str) -> PlannedFunction | None:
        """Of one that is not listed: its API by its prefix; it answers a status where the plan says so."""
        known = self._listed.get(name)
        if known is not None:
            return known
        if name not in self._others:
            self._others[name] = self._other(name)
        return self._others[name]

    def is_counted(self, name: str) -> bool:
        """Whether it is counted without being asked for: all of an API of which the plan tells their answers.

        Reserved names are what compilers call (`__cudaRegisterFunction`, 20,000 times in a start of PyTorch): they ask
        nothing of a device.
        """
        if self.is_listed(name) or name.startswith("_"):
            return self.is_listed(name)
        return any(api.answers and match.match(name) for api, match in self._apis)

    def _other(self, name: str) -> PlannedFunction | None:
        api = next((api for api, match in self._apis if match.match(name)), None)
        if api is None:
            return None
        hot = name.startswith(OF_TABLE)  # a runtime asks some of them at each of its own calls
        said = next((glob for glob in api.answers if fnmatchcase(name, glob.removeprefix("!"))), "!")
        return PlannedFunction(api.api, FunctionPlan(name=name, returns=not said.startswith("!"), hot=hot))


def planned_functions(plan: Plan) -> dict[str, PlannedFunction]:
    """All functions of a plan by name."""
    return {function.name: PlannedFunction(api.api, function) for api in plan.apis for function in api.functions}


def function_at(site: Site, plan: FunctionPlan | None) -> Function:
    """How to probe a function; what gives no results is only counted, wherever that is cheapest."""
    if plan is None or not plan.returns:
        return Function(site.offset, site.cost, plan is not None and plan.hot)
    return Function(site.entry, site.entry_cost, plan.hot, at_entry=True, decides=plan.decides, reads=_reads(plan))


def values_of(plan: FunctionPlan, memory: tuple[bytes, ...]) -> Values:
    """The out-values of one call; what could not be read is left out."""
    wanted = _behind_pointers(plan)
    found = {each.name: _decode(each.kind, raw, _size(each)) for each, raw in zip(wanted, memory, strict=False) if raw}
    return {each.name: found[each.name] for each in plan.values if each.name in found}


def arguments_of(plan: FunctionPlan, arguments: tuple[int, ...], memory: tuple[bytes, ...]) -> dict[str, int | str]:
    """The named arguments of one call; those behind pointers only if they could be read."""
    read = {id(each): raw for each, raw in zip(_behind_pointers(plan), memory, strict=False)}
    shown: dict[str, int | str] = {}
    for argument in plan.arguments:
        if argument.kind in _BEHIND_POINTER:
            raw = read.get(id(argument), b"")
            value = _decode(argument.kind, raw, _size(argument)) if raw else ""
        else:
            value = _decode(argument.kind, struct.pack("<Q", arguments[argument.index]), 8)
        if value != "" and not isinstance(value, float):
            shown[argument.name] = value
    return shown


def signed(value: int) -> int:
    """A result in the lower 32 bits as the C int that it is."""
    return value - (1 << 32) if value & 1 << 31 else value


def identifier(raw: bytes) -> str:
    """16 bytes as CUDA prints a UUID."""
    return str(uuid.UUID(bytes=raw.ljust(16, b"\0")[:16]))


def _reads(plan: FunctionPlan) -> tuple[Read, ...]:
    return tuple(
        Read(
            argument=each.argument if isinstance(each, OutValue) else each.index,
            size=_size(each),
            offset=each.offset if isinstance(each, OutValue) else 0,
            string=each.kind == "string",
        )
        for each in _behind_pointers(plan)
    )


def _behind_pointers(plan: FunctionPlan) -> list[OutValue | Argument]:
    """What is read from memory, in the order of the reads."""
    pointed: Iterable[Argument] = (argument for argument in plan.arguments if argument.kind in _BEHIND_POINTER)
    every: list[OutValue | Argument] = [*plan.values, *pointed]
    usable = [each for each in every if (each.argument if isinstance(each, OutValue) else each.index) < 6]
    return usable[:MOST_READS]


def _size(each: OutValue | Argument) -> int:
    number = _NUMBERS.get(each.kind)
    size = struct.calcsize(number) if number else each.size or _SIZES.get(each.kind, 16)
    return min(size, READ_ROOM)


def _decode(kind: ValueKind, raw: bytes, size: int) -> int | str | float:
    number = _NUMBERS.get(kind)
    if number is not None:
        value: int | float = struct.unpack_from(number, raw)[0]
        return value
    if kind == "string":
        return decode(raw[:size].split(b"\0", 1)[0])
    return identifier(raw) if kind == "uuid" else raw[:size].hex()
