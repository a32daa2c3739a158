"""What the watch plan says about single functions: which to count, what memory to read, what the bytes mean."""

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from inspector.stream.requests import Argument, FunctionPlan, OutValue, Plan, ValueKind
from inspector.stream.text import decode

from ...elf.sites import Site
from ...kernel.call_programs import MOST_READS, READ_ROOM
from ...kernel.counter_block import Read
from ...kernel.file_watch import Function

_NUMBERS = {"i32": "<i", "u32": "<I", "i64": "<q", "u64": "<Q", "f32": "<f", "f64": "<d", "pointer": "<Q"}
_SIZES = {"uuid": 16, "string": 64, "hex": 16, "bytes": 16}
_BEHIND_POINTER = ("string", "uuid", "hex", "bytes")

Values = dict[str, int | str | float]


@dataclass(frozen=True, slots=True)
class PlannedFunction:
    """A function of the plan with the API that it belongs to."""

    api: str
    plan: FunctionPlan


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
