"""What to do about a result whose meaning leaves little doubt, with a command that shows how it stands."""

import msgspec

from inspector.model.profiles import Profiles

NO_MEMORY = ("OUTOFMEMORY", "MEMORYALLOCATION", "OUTOFDEVICEMEMORY", "MEMOBJECTALLOCATIONFAILURE")
"""Ends of names by which APIs refuse memory."""
_KERNEL_WORDS = "dmesg | grep -E 'NVRM|Xid|amdgpu' | tail -n 20"
"""What the kernel's driver said; needs root where dmesg_restrict is set (proc(5))."""


class ResultStep(msgspec.Struct, frozen=True):
    """Results that ask for one thing to be done."""

    endings: tuple[str, ...]
    """Ends of their names, see `Profiles.is_called`."""
    step: str
    command: str


_STEPS = (
    ResultStep(
        NO_MEMORY,
        "see who holds the device's memory; free it, or ask for less (a smaller model, batch, image or context)",
        "nvidia-smi --query-compute-apps=pid,used_memory,name --format=csv || inspector list",
    ),
    ResultStep(
        ("VERSIONMISMATCH", "DRIVERMISMATCH"),
        "reboot, or install the kernel's driver and its libraries in one version; in a container, those of the host",
        "cat /proc/driver/nvidia/version; modinfo -F version nvidia",
    ),
    ResultStep(
        ("SYSTEMNOTREADY",),
        "start nvidia-fabricmanager, in the version of the driver, and read its log",
        "systemctl status nvidia-fabricmanager; journalctl -u nvidia-fabricmanager",
    ),
    ResultStep(
        ("NOPERMISSION", "NOTPERMITTED"),
        "let the user of this process open the device files: their group, the device rules of its container or unit",
        "ls -l /dev/nvidia* /dev/kfd /dev/dri; id",
    ),
    ResultStep(
        ("GPUISLOST", "RESETREQUIRED", "ECCUNCORRECTABLE", "NVLINKUNCORRECTABLE", "HARDWARESTACKERROR"),
        "read what the kernel says of the device (Xid), then reset it or reboot",
        _KERNEL_WORDS,
    ),
    ResultStep(
        ("DEVICEUNAVAILABLE", "DEVICESUNAVAILABLE"),
        "see who holds the device; its compute mode may admit one process only (exclusive), or none",
        "nvidia-smi -q -d COMPUTE,PIDS || inspector list",
    ),
    ResultStep(
        ("NOBINARYFORGPU", "NOKERNELIMAGEFORDEVICE", "UNSUPPORTEDPTXVERSION"),
        "use a build of the program with code for this device, or a newer driver",
        "nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv",
    ),
    ResultStep(
        ("ERRORINVALIDDEVICE",),
        "ask for a device that is there: they are numbered from 0, and only those that the process sees count",
        "ls -l /dev/nvidia[0-9]* /dev/dri/renderD*; env | grep VISIBLE_DEVICES",
    ),
    ResultStep(
        ("JITCOMPILERNOTFOUND",),
        "install libnvidia-ptxjitcompiler.so.1, which belongs to the driver",
        "find / -xdev -name 'libnvidia-ptxjitcompiler*' 2>/dev/null",
    ),
    ResultStep(
        ("COMPATNOTSUPPORTEDONDEVICE",),
        "take the directory of the compatibility libcuda out of the library path, or install a newer driver",
        "cat /proc/driver/nvidia/version; ls -l /usr/local/cuda*/compat",
    ),
    ResultStep(
        ("MPSCONNECTIONFAILED", "MPSRPCFAILURE", "MPSSERVERNOTREADY", "MPSCLIENTTERMINATED"),
        "start the control daemon of MPS again, or unset CUDA_MPS_PIPE_DIRECTORY",
        "pgrep -a nvidia-cuda-mps; ls -l /tmp/nvidia-mps",
    ),
)
_UNKNOWN = ResultStep(
    ("CUDAERRORUNKNOWN", "NVMLERRORUNKNOWN"),
    "load nvidia_uvm (after a suspend: unload it first), check its device files and those of the container, and read "
    "what the kernel's driver said",
    f"grep nvidia /proc/modules; ls -l /dev/nvidia*; {_KERNEL_WORDS}",
)
"""Of the driver itself; what a shim means by it only its own opens and calls can tell."""


def step_of(profiles: Profiles, api: str, code: int) -> tuple[str, str] | None:
    """What to do about a result, and the command; None where its name does not tell."""
    found = next((one for one in _STEPS if profiles.is_called(api, code, *one.endings)), None)
    return (found.step, found.command) if found is not None else None


def step_of_unknown(profiles: Profiles, api: str, code: int) -> tuple[str, str] | None:
    """The same where NVIDIA's own driver gives "unknown error"."""
    return (_UNKNOWN.step, _UNKNOWN.command) if profiles.is_called(api, code, *_UNKNOWN.endings) else None
