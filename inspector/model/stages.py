"""How far somebody who asks for an API can get, and which call shows which stage."""

import re
from collections.abc import Callable
from typing import Literal, get_args

from inspector.stream.lazy_pattern import lazy

from .profiles import Profiles
from .profiles.schema import Role

Stage = Literal[
    "asked", "loaded", "resolved", "initialised", "counted", "described", "context", "memory", "work"
]  # fmt: skip
STAGES: tuple[Stage, ...] = get_args(Stage)
LEVEL: dict[Stage, int] = {stage: level for level, stage in enumerate(STAGES)}

_OF_ROLE: dict[Role, Stage] = {
    "init": "initialised", "table": "initialised", "count": "counted", "device": "described",
    "attribute": "described", "name": "described", "memory": "described", "properties": "described",
    "context": "context", "module": "context", "alloc": "memory", "copy": "work", "launch": "work",
}  # fmt: skip
_OF_WORDS: tuple[tuple[Stage, Callable[[], re.Pattern[str]]], ...] = (
    ("work", lazy(r"Launch|Memcpy|Memset|[Gg]emm|QueueSubmit|Enqueue[A-Z]")),
    ("memory", lazy(r"MemAlloc|Malloc|MemCreate|AllocateMemory|CreateBuffer|pool_allocate")),
    ("context", lazy(r"CtxCreate|PrimaryCtxRetain|StreamCreate|Create$|Create_v\d|vkCreateDevice|clCreateContext|"
                           r"queue_create|Module(Load|Get)|LibraryLoad")),
    ("counted", lazy(r"GetCount|DeviceCount|EnumeratePhysical|GetDeviceIDs|iterate_agents")),
    ("described", lazy(r"Attribute|GetName|GetUuid|GetPC[Ii]|TotalMem|MemGetInfo|GetMemoryInfo|Properties|"
                             r"ComputeCapability|DeviceGet$|HandleBy|get_info|SetDevice$|GetDevice$")),
    ("initialised", lazy(r"Init|CreateInstance|GetPlatformIDs|hsa_init|ExportTable")),
)  # fmt: skip
_TELLS_NOTHING = lazy(r"^__|ExportTable\[|Error|Version|Shutdown|Destroy|Free|Release|Unload|Unregister")


def stage_of(profiles: Profiles, api: str, function: str) -> Stage | None:
    """The stage that a success of this function shows; None when it shows none (versions, error texts, tear-down,
    what a compiler registers before `main`: `__cudaRegisterFatBinary`, functions of private tables).

    A profile's role decides; a function that no profile lists is read by the words of its name, which all APIs share.
    """
    if _TELLS_NOTHING().search(function):
        return None
    role = profiles.role(api, function)
    if role != "other":
        return _OF_ROLE.get(role)
    return next((stage for stage, words in _OF_WORDS if words().search(function)), None)


def tells_nothing(function: str) -> bool:
    """Versions, error texts, tear-down: what they answer is no step and no fault."""
    return _TELLS_NOTHING().search(function) is not None


_STATUS = lazy(r"Version|Shutdown|Destroy|Free|Release|Unload|Unregister")


def begins_unasked(function: str) -> bool:
    """A version or a tear-down, which has no step of its own: called first it has to begin its API all the same
    (`cudaFree(0)` is how programs do that), and so tells of its beginning where it is refused.
    """
    return tells_nothing(function) and _STATUS().search(function) is not None and "Error" not in function


def reaches(stage: Stage | None, least: Stage) -> bool:
    """Whether a stage is this one or a later one."""
    return stage is not None and LEVEL[stage] >= LEVEL[least]
