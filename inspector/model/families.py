"""Which family of APIs a name belongs to: a runtime and its driver are one family, a management API is its own."""

import re
from functools import lru_cache

from .profiles import Profiles

_OF_FILE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("nvml", re.compile(r"nvidia-ml|nvml", re.I)),
    ("amd-smi", re.compile(r"libamd_?smi", re.I)),
    ("rocm-smi", re.compile(r"librocm_smi", re.I)),
    (
        "cuda",
        re.compile(
            r"(?<!i)cuda|cublas|cudnn|cufft|cufile|curand|cusparse|cusolver|nccl|nvrtc|nvjitlink|nvcuvid|nvoptix|libnvidia-",
            re.I,
        ),
    ),
    ("rocm", re.compile(r"amdhip|hsa-runtime|rocblas|hipblas|miopen|rocm|rccl|libamd_|-hip\b", re.I)),
    ("vulkan", re.compile(r"vulkan|GLX_nvidia|_icd\.", re.I)),
    ("opencl", re.compile(r"opencl", re.I)),
    ("video", re.compile(r"^libvdpau_\w+\.so|_drv_video\.so$")),  # drivers that VDPAU and VA-API load
    ("egl", re.compile(r"^lib(EGL|GLX)\b|_dri\.so$|^libgallium-")),
)
_OF_FUNCTION: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("nvml", re.compile(r"nvml[A-Z]")),
    ("amd-smi", re.compile(r"amdsmi_")),
    ("rocm-smi", re.compile(r"rsmi_")),
    ("cuda", re.compile(r"cu[A-Z]|(__)?cuda[A-Z]|cublas|cudnn|cufft|nccl[A-Z]|nvrtc[A-Z]|nvJitLink")),
    ("rocm", re.compile(r"(__)?hip[A-Z]|hsa_|roc(blas|fft)")),
    ("vulkan", re.compile(r"vk[A-Z]")),
    ("opencl", re.compile(r"cl[A-Z][a-z]")),
    ("egl", re.compile(r"egl[A-Z]|glX[A-Z]")),
)
MANAGEMENT = frozenset(("nvml", "amd-smi", "rocm-smi"))
"""Families that read figures of devices and compute nothing."""
DRAWING = frozenset(("egl", "video"))
"""Families that draw, or decode what is to be drawn: programs that compute use them as well, so they decide only where
nothing else was asked for."""


def family_of_api(profiles: Profiles, api: str) -> str:
    """`cuda` for the driver, the runtime and cuBLAS; an API that proves no mode is a family of its own."""
    known = profiles.apis.get(api)
    return (known.mode or known.name) if known is not None else api


@lru_cache(maxsize=16384)
def family_of_file(profiles: Profiles, path: str) -> str:
    """Family of a library by its file name; empty when the name tells none."""
    name = path.rsplit("/", 1)[-1]
    if not name:
        return ""
    api = profiles.api_of_soname(name)
    if api is not None:
        return family_of_api(profiles, api)
    if ".so" not in name and not name.endswith((".node", ".dylib")):
        return ""
    return next((family for family, words in _OF_FILE if words.search(name)), "")


@lru_cache(maxsize=16384)
def family_of_function(profiles: Profiles, name: str) -> str:
    """Family of a function by its name; empty when the name tells none."""
    api = profiles.api_of_function(name)
    if api is not None:
        return family_of_api(profiles, api)
    return next((family for family, words in _OF_FUNCTION if words.match(name)), "")


def bundles_loader(profiles: Profiles, path: str, api: str) -> bool:
    """Whether a library holds the loader of an API within itself, linked statically: then it is the one that asks."""
    return profiles.is_loader(api) and family_of_file(profiles, path) != family_of_api(profiles, api)
