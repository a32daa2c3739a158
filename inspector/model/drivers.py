"""What stands behind the loader of an API (Vulkan, OpenCL): drivers of devices, or only some that use the CPU."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from .coverage import opens_told_throughout
from .families import family_of_api
from .formatting import name_of, stem
from .profiles import Profiles
from .state import Process, State
from .tree import libraries

DRIVER_ENTRIES = {"vulkan": "vk_icdGetInstanceProcAddr", "opencl": "clGetExtensionFunctionAddress"}
"""What a loader looks up in each driver that it opens (Vulkan: loader and driver interface; OpenCL: cl_khr_icd)."""
_VENDOR_ENTRIES = ("__egl_Main", "__glx_Main")
"""What the loader of OpenGL looks up in the library of a vendor, which finds drivers of its own (libglvnd)."""
_NODES = ("/dev/dri/renderD", "/dev/dri/card", "/dev/nvidia", "/dev/kfd", "/dev/dxg", "/dev/mali", "/dev/kgsl")
"""Device nodes without which no driver reaches a device (drm(7), Documentation/admin-guide/devices.txt)."""


class Drivers(msgspec.Struct, frozen=True):
    """Drivers that a loader brought into one process, by their paths: those of known names, and those in which it
    looked up a driver's entry.
    """

    hardware: list[str] = msgspec.field(default_factory=list)
    software: list[str] = msgspec.field(default_factory=list)
    nodes: list[str] = msgspec.field(default_factory=list)
    """Device nodes that the process opened."""
    vendors: list[str] = msgspec.field(default_factory=list)
    """Libraries of vendors that the loader opened; whether a driver stands behind them is their answer."""

    @property
    def none(self) -> bool:
        """The loader brought in no driver that is known."""
        return not self.hardware and not self.software and not self.vendors

    @property
    def only_software(self) -> bool:
        """One that runs on the CPU is there, and no device was opened: a loader brings in what it finds installed,
        with or without a device.
        """
        return bool(self.software) and not self.nodes


def drivers_behind(process: Process, api: str, profiles: Profiles) -> Drivers:
    """The drivers of an API's loader in a process, those included that went away with the last instance."""
    known = profiles.apis.get(api)
    if known is None or not known.software:
        return Drivers()
    mapped = libraries(process).values()
    own = {stem(name) for name in known.sonames}
    entered = {
        one.answer for one in process.lookups
        if one.found and one.answer and one.name == DRIVER_ENTRIES.get(api) and stem(one.answer) not in own
    }  # fmt: skip
    paths = dict.fromkeys([*(library.path for library in mapped), *entered])
    software = [path for path in paths if _matches(path, known.software)]
    opened = [one.path for one in process.opens if not one.errno]
    held = [one.target for one in process.descriptors.values() if one.kind == "device"]
    return Drivers(
        hardware=[
            path for path in paths if _matches(path, known.hardware) or (path in entered and path not in software)
        ],
        software=software,
        vendors=[one.answer or "" for one in process.lookups if one.found and one.name in _VENDOR_ENTRIES]
        if api == "egl"
        else [],
        nodes=list(dict.fromkeys(path for path in (*opened, *held) if path.startswith(_NODES))),
    )


def is_driver(profiles: Profiles, name: str) -> bool:
    """By its name it is what the loader of an API opens by itself: no program asks for it."""
    return any(_matches(name, (*api.hardware, *api.software)) for api in profiles.apis.values())


def without_entry(process: Process, api: str) -> list[str]:
    """Files that a loader opened as drivers, and that lack a driver's entry."""
    told = (one.error for one in process.lookups if one.found is False and one.name == DRIVER_ENTRIES.get(api))
    return list(dict.fromkeys(words.partition(": undefined symbol")[0] for words in told if words.startswith("/")))


def software_drivers(state: State, process: Process, family: str, profiles: Profiles) -> list[str]:
    """Drivers that compute on the CPU, where no other stands behind this family in the process; else none."""
    for api in profiles.apis.values():
        if api.software and family_of_api(profiles, api.name) == family:
            drivers = drivers_behind(process, api.name, profiles)
            told = opens_told_throughout(state, process) or bool(process.descriptors)  # what it holds, met late
            told |= machine_lacks_device(state)  # then there is none to open
            blind = bool(drivers.hardware) and not told
            return drivers.software if drivers.only_software and not blind else []
    return []


def _matches(path: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name_of(path), glob) for glob in globs)


def machine_lacks_device(state: State) -> bool:
    """The machine was looked at, and it has neither a file of a GPU nor a driver of one in its kernel."""
    gpu = state.gpu
    return gpu is not None and not gpu.driver and not any(node.present for node in gpu.devices)
