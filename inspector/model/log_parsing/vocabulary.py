"""The words by which programs of all kinds tell what became of the GPU, as patterns; no program is named."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from msgspec import Struct

GPU: Final = r"(?:gpus?|cuda|nvidia|rocm|hip|vulkan|opencl|metal|accelerators?|graphics cards?)(?:\(s\))?"
_DEVICES = rf"(?:{GPU}|devices?)"
_NO_PLACE = (
    r"(?![-\w]|\s*(?:#?\d|[%:=]\s*\d|instruction|feature|core|thread|affinit|usage|time|count|set\b|info|model\b|flag"
    r"|temp|s\b|load\b|limit|quota|memory usage|extension|capabilit|support|vendor|architecture))"
)
"""Behind `cpu`: then it is a number of one, or a property of it, not the place where something runs."""
_MODULE = r"(?:amdgpu|amdkfd|rock|nouveau|radeon|i915|nvidia(?:[-_](?:uvm|drm|modeset))?)"
"""Drivers of devices in the kernel; ROCk is AMD's."""
_RUNS = (
    r"\b(?:runs?|running|comput|execut|continu|work|infer|train|load|plac|mov|stay|remain|retry|switch|revert|default|resort"
    r"|forc)\w*\b[^.;]{0,30}?"
)
_KEY = r"\b(?:library|backend|compute|provider|device|accelerator|platform|runs?_on)\s*[=:]\s*[\"'\[(]*"
_SOME = r"[1-9]\d*"
_AVAILABLE = r"\bis_available\(\)\W*(?:(?:returned|returns|is|was)\W+)?"


class _Expression:
    """A regular expression that is compiled when it is first searched for: the first paint does not wait for it."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text, self._flags = text, flags

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression, ready to search."""
        return re.compile(self._text, self._flags)


class Phrase(Struct, frozen=True):
    """A pattern and texts, in lower case, of which every match holds one: looked for first, because that is fast."""

    pattern: _Expression
    needs: tuple[str, ...]

    def find(self, text: str, lowered: str) -> re.Match[str] | None:
        """The first place where a text says it; `lowered` is the text in lower case."""
        return self.pattern.compiled.search(text) if any(need in lowered for need in self.needs) else None

    def find_all(self, text: str, lowered: str) -> Iterator[re.Match[str]]:
        """All places."""
        return self.pattern.compiled.finditer(text) if any(need in lowered for need in self.needs) else iter(())


def _any(needs: str, *alternatives: str) -> Phrase:
    """`needs` are separated by bars."""
    return Phrase(_Expression("|".join(alternatives), re.IGNORECASE), tuple(needs.split("|")))


ON_CPU: Final = _any(
    "cpu|llvmpipe|swrast|lavapipe|softpipe|software|without|used|enabled|disabled| host",
    rf"\b(?:using|uses?)\s+(?:the\s+|only\s+)?cpu\b{_NO_PLACE}",
    rf"{_RUNS}\b(?:on|onto|to|with)\s+(?:the\s+|only\s+)?cpu\b{_NO_PLACE}",
    r"\bcpu\s+(?:device\s+)?(?:will\s+be|is)\s+used\b",
    r"\b(?:using|on|to)\s+(?:the\s+)?(?:llvmpipe|swrast|lavapipe|softpipe)\b|\bllvmpipe\s\(LLVM\b",
    rf"\bfall(?:s|ing|en)?[ -]?back\b[^.]{{0,40}}\b(?:(?<!for )(?<!of )cpu\b{_NO_PLACE}|(?:software|host|llvmpipe)\b)",
    r"\b(?:cpu|software)\s+(?:fall[ -]?back|mode|rendering)\b|\bcpu[- ](?:backend\s+)?only\b",
    rf"\bwithout\s+(?:a\s+|any\s+)?{GPU}\b(?:\s+(?:support|acceleration))?",
    rf"\b{GPU}(?:\s+(?:support|acceleration|backend))?\s+(?:will\s+not\s+be|won'?t\s+be|(?:is|are)\s+not)\s+(?:used|enabled)\b",
    rf"\b{GPU}(?:\s+(?:support|acceleration|backend))?\s+(?:is|are)\s+disabled\b",
    rf"\b{GPU}\s+(?:support|acceleration|backend)\s+disabled\b",
    rf"\bwithout\s+(?:(?:hardware|{GPU})\s+)?acceleration\b",
    r"\b100\s*%\s*cpu\b",
    rf"{_KEY}(?:cpu|CPUExecutionProvider)\b(?!\s*[,:]\s*\w*(?:cuda|gpu|rocm))",
)
FOUND: Final = _any(
    "found|detected|discovered|counted|available|visible|created|added|selected|initialized|initialised|library="
    "|library:|backend|provider|device=|device:|device =|device :|compute|accelerator|platform|runs_on|run_on",
    rf"{_KEY}(?:cuda|rocm|hip|vulkan|opencl|gpu)\w*",
    rf"\b(?:found|detected|discovered|counted|available|visible)\b\D{{0,12}}\b{_SOME}\s+(?:{GPU}|usable\s)",
    rf"\b{_SOME}\s+(?:\w+\s+)?{GPU}(?:\s+devices?)?\s+(?:(?:were|was|is|are)\s+)?(?:found|detected|available|visible|discovered)",
    r"\b(?:created|added|selected)\s+(?:device|gpu)\b.{0,60}\bgpu",
    rf"\b{GPU}\s*(?:\d+\s*)?(?:is\s+)?available\s*[:=]\s*(?:true|yes|1)\b|{_AVAILABLE}true\b",
    rf"\b{GPU}(?:\s+(?:driver|runtime|backend|device))?\s+(?:is\s+|was\s+)?(?:successfully\s+)?initiali[sz]ed\b(?!\W*(?:false|no)\b)",
    rf"\b{GPU}\b.{{0,60}}\b(?:found|detected)\s+{_SOME}\s+devices?\b",
)
NO_DEVICE: Final = _any(
    "no |not |zero |found 0|: 0|= 0| 0 |:0|=0|   0|count 0|false|unavailable|no-|=no",
    rf"\bno\b(?:\s+[\w./()-]+){{0,3}}?\s+{GPU}(?:[\s/]+(?:devices?|drivers?|platforms?|icds?|tpu))?\s*(?:were|was|is|are|could|found|detected|discovered|available|present|visible|installed|$|[.,;:)!])",
    rf"\bno\b[^.;]{{0,30}}\b{GPU}[- \w]*(?:device|driver|platform|icd)",
    rf"\b(?:{GPU}|vk[A-Z]\w+|cl[A-Z]\w+)\b.{{0,40}}\b(?:no|0)\s+(?:drivers?|platforms?|icds?|devices?)\b",
    rf"\bcould\s+not\s+find\b[^.;]{{0,30}}\b(?:drivers?|{_DEVICES})\b",
    rf"\b{GPU}(?:\s+(?:devices?|drivers?|runtime))?\s+(?:(?:is|are|was|were)\s+)?(?:not\s+(?:found|available|detected|usable|visible|installed)|unavailable)",
    rf"\bfound\s+(?:0|no|zero)\s+(?:\w+\s+)?{_DEVICES}\b",
    rf"\b(?:detected|counted|available|visible)\s*[:=]?\s*(?:0|no|zero)\s+(?:{GPU}|\w+\s+devices?)\b",
    r"\bnumber\s+of\s+(?:platforms|devices|gpus)\s*[:=]?\s*0\b",
    rf"\b{GPU}(?:[\s_-]device)?[\s_-]count\s*[:=]?\s*0(?![\w.:])",
    rf"\b{GPU}\s*(?:\d+\s*)?(?:is\s+)?available\s*[:=]\s*(?:false|no|0)\b|{_AVAILABLE}false\b",
    rf"\b{_MODULE}(?:\s+(?:kernel\s+)?(?:driver|module))?\s+(?:is\s+|was\s+)?not\s+(?:found|loaded|present|installed)\b",
)
DROPPED: Final = _any(
    "too |unsupported|not supported|no longer|below|insufficient|skip|drop|ignor|compatible|filter|not using",
    rf"\b(?:{GPU}|device|driver|card|capability)\b.{{0,60}}\b(?:too\s+(?:old|new|small)|unsupported|not\s+supported"
    r"|no\s+longer\s+supported|below|insufficient|skipp(?:ed|ing)|dropp(?:ed|ing)|ignor(?:ed|ing)|(?:not\s+|in)compatible"
    r"|filter(?:ed|ing)\s+(?:out|device))",
    rf"\b(?:unsupported|skipp(?:ed|ing)|dropp(?:ed|ing)|ignor(?:ed|ing)|filter(?:ed|ing)(?:\s+out)?|not\s+using"
    rf"|incompatible)\s+(?:\w+\s+)?(?:{GPU}|device|driver)\b",
)
GIVEN: Final = _any(
    "offload|running|computing|executing|placed|moved|loaded|training|inference|assigned|buffer size|%",
    rf"\boffload(?:ed|ing)?\s*[=:]?\s*{_SOME}\b",
    r"\b(?:running|computing|executing|placed|moved|loaded|training|inference)\s+(?:it\s+|model\s+)?(?:on|onto|to)\s+"
    r"(?:the\s+|device\s+)?(?:gpu|cuda|rocm|vulkan)",
    r"\bassigned\s+to\s+(?:device\s+)?(?:gpu|cuda|rocm|vulkan)",
    r"\b(?:cuda|rocm|vulkan)\d+\s+model\s+buffer\s+size",
    r"\b(?:[1-9]\d?|100)\s*%\s*gpu\b",
)
GIVEN_NOTHING: Final = _any(
    "offload|layers|%",
    r"\boffload(?:ed|ing)?\s*[=:]?\s*0\b",
    r"\b0\s*%\s*gpu\b",
    rf"\b0\s+(?:of\s+\d+\s+)?layers\b.{{0,30}}\b{GPU}",
)
NOT_BUILT: Final = _any(
    "compile|build|built|configured|linked|enabled|reinstall|this version|your version|binary|not installed|not in "
    "|unknown|unrecognized|unsupported|backend|support",
    rf"\bnot\s+(?:been\s+)?(?:compiled|built|configured|linked)\s+(?:with|for|to\s+use)\b.{{0,40}}\b{GPU}\b",
    rf"\b(?:compiled|built)\s+without\b.{{0,40}}\b{GPU}\b",
    rf"\b{GPU}\b.{{0,20}}\bnot\s+(?:been\s+)?(?:compiled|built)\s+(?:in|into|with)\b",
    rf"\b{GPU}(?:\s+support)?\s+(?:is\s+|was\s+)?not\s+enabled\b",
    rf"\b{GPU}\b.{{0,40}}\b(?:not\s+(?:enabled|available|supported|included)|disabled)\s+in\s+this\s+(?:build|version|binary)\b",
    rf"\b(?:this|your)\s+(?:build|version|binary)\b.{{0,40}}\b(?:without|no|not|lacks)\b.{{0,30}}\b{GPU}\b",
    rf"\b(?:re-?compile|re-?build|reinstall)\b.{{0,40}}\bwith\b.{{0,40}}\b(?:\w+_)?{GPU}\b",
    rf"\b{GPU}[- ](?:enabled|capable)\s+(?:\w+\s+)?(?:is|was)\s+not\s+installed",
    r"\bnot\s+in\s+(?:the\s+)?(?:list\s+of\s+)?(?:available|known|registered)\b.{0,20}\b(?:providers?|backends?|devices?|platforms?)\b",
    r"\b(?:unknown|unrecognized|unsupported)\s+(?:backend|platform|provider)\b",
    rf"\bno\s+(?:usable\s+)?{GPU}\s+(?:backend|support)\b",
)
LACKS_MEMORY: Final = _any(
    "memory|oom|vram",
    r"\bout\s+of\s+(?:\w+\s+)?memory\b|\boutofmemory|\b(?:gpu|cuda|device)\s+oom\b",
    r"\b(?:not\s+enough|insufficient|too\s+little)\s+(?:\w+\s+){0,3}?(?:memory|vram)\b",
    r"\bmemory\s+(?:is\s+|was\s+)?(?:exhausted|insufficient|too\s+small)\b",
    r"\b(?:fail(?:ed|ure|s)?|cannot|could\s+not|couldn'?t|unable)\b[^.;]{0,40}\ballocat\w+[^.;]{0,60}\b(?:memory|vram)\b",
    r"\bmemory\s+allocation\b[^.;]{0,30}\b(?:fail\w*|refused|error)\b",
)
"""Memory was refused; whose, the rest of the line or the next ones tell."""
CONCERNS_GPU: Final = _any(
    "gpu|cuda|nvidia|nvml|rocm|hip|vulkan|opencl|metal|accelerator|graphics card|egl|drm|gbm|/dri|opengl|glx|vram",
    rf"(?<![a-z]){GPU}(?![a-z])|\b(?:opengl|glx|vram)\b|\beglI?\w*\b|\bnvml|\b(?:drm|gbm)\b|\bdrm(?-i:[A-Z])|/dev/dri\b",
)
"""Of an error by which a program ends: it is about the GPU, not about something else."""
CONCERNS_DEVICES: Final = _any("device|adapter|driver", r"(?<!left on )\b(?:devices?|adapters?|drivers?)\b")
"""It may be about the GPU."""
FAILURE: Final = _any(
    "fallback|falling back|mismatch|fail|error|exception|cannot|can't|cant|could|unable"
    "|refused|denied|abort|crash|must have|lost|fallen"
    "|not initiali|not loaded|not running|not ready|not responding",
    r"(?:\b(?:fail(?:ed|ure|s)?|error|cannot|can'?t|could\s+not|couldn'?t|unable|refused|denied|aborted|crash(?:ed)?"
    rf"|must\s+have)\b|level=(?:error|fatal)).{{0,160}}\b{GPU}",
    rf"\b{GPU}\b.{{0,120}}\b(?:fail(?:ed|ure|s)?|errors?|cannot|could\s+not|unable|refused|denied)\b",
    rf"\b{GPU}(?:\s+(?:device|driver|module|runtime|library))?\s+(?:(?:is|was|has)\s+)?(?:lost|fallen\s+off"
    r"|not\s+(?:initiali[sz]ed|loaded|running|ready|responding))\b",
    r"\bdriver/library\s+version\s+mismatch\b",
    r"\b(?:fail(?:ed|ure)?|cannot|could\s+not|unable)\b.{0,60}(?:\b(?:drm|gbm)\b|/dev/dri)|\b(?:drm|gbm)\b.{0,40}\bfailed\b",
    r"\b(?:[Ff]ail(?:ed|ure)?|[Cc]annot|[Cc]an't|[Cc]ould\s+not|[Uu]nable)\b.{0,60}\b(?:OpenGL|GLX|EGL)\b",
    rf"\bnot\s+found\b[^.;]{{0,60}}\b{GPU}\b.{{0,60}}\bfall\w*[ -]?back\b",
    r"\b(?:nvml|cuda|hip|roc|hsa|vulkan|opencl|gpu)\w{0,30}(?:error|exception)(?:_\w{1,40})?\b(?=\W{1,3}[a-z])",
)
"""Something failed that concerns the GPU."""
NO_FAILURE: Final = _any(
    "error", r"\b(?:no|0|without)\s+(?:\w+\s+)?errors?\b", r"\berrors?\s*[=:]\s*(?:0|none|false|<?nil>?|null)\b"
)

_FUNCTION = r"(?:cu[A-Z]\w+|cuda[A-Z]\w+|nvml[A-Z]\w+|hip[A-Z]\w+|hsa_\w+|vk[A-Z]\w+|cl[A-Z]\w+|egl[A-Z]\w+)"
_STATUS = (
    r"(?:CUDA_ERROR_\w+|CUDA_SUCCESS|cudaError[A-Z]\w+|cudaSuccess|NVML_ERROR_\w+|NVML_SUCCESS|hipError[A-Z]\w+"
    r"|hipSuccess|HSA_STATUS_\w+|VK_ERROR_\w+|VK_SUCCESS|CL_[A-Z]{2,}_[A-Z_]{2,}|CUBLAS_STATUS_\w+|CUDNN_STATUS_\w+"
    r"|EGL_(?:NOT_INITIALIZED|BAD_\w+|CONTEXT_LOST))"
)
_NUMBER = r"(?:0x[0-9a-fA-F]+\b|-?\d+\b(?![.%\w]))"

_API = r"cuda|nvml|hip|rocm|hsa|opencl|vulkan"

TOLD_RESULT: Final = (
    Phrase(
        _Expression(
            rf"\b(?P<function>{_FUNCTION})\b(?:\((?:[^()]|\([^()]*\))*\)+|(?!\())['\"`]?\s*(?:->|=>|==|[:=,]|\s)?\s*"
            r"(?:(?:has\s+|have\s+)?(?:return(?:ed|s)|failed|fails|error|err|result|status|rc|gave|answered|with|code"
            rf"|[:=(\[])(?:[^\w-]|->)*){{0,4}}(?P<answer>{_NUMBER}|{_STATUS})"
        ),
        ("cu", "nvml", "hip", "hsa_", "vk", "cl", "egl"),
    ),
    Phrase(
        _Expression(
            rf"\b(?P<function>{_FUNCTION})\b(?:\([^()]*\))?\s+failed\s*(?::|with|-)\s*"
            r"(?P<answer>[A-Z]{3,}(?:_[A-Z0-9]+)+\b|[a-z][^;:]{3,100})"
        ),
        (" failed",),
    ),
    Phrase(
        _Expression(
            rf"\bcall(?:ing|ed)?\s+(?:to\s+)?(?P<function>{_FUNCTION})\b.{{0,80}}?\((?P<answer>{_NUMBER}|{_STATUS})\)"
        ),
        ("call",),
    ),
    Phrase(
        _Expression(
            rf"\b(?P<function>(?i:{_API}))\s+(?i:(?:driver|runtime|api)\s+)?"
            rf"(?i:error|failure|status)\s*(?i:code)?\s*[:=#(]{{0,3}}\s*['\"#]{{0,2}}(?P<answer>{_NUMBER})"
        ),
        ("error", "failure", "status"),
    ),
    Phrase(
        _Expression(
            r"\b(?i:fail(?:ed|ure)?|cannot|could\s+not|unable)\b[^.;\d]{0,20}\b(?i:initiali[sz]\w*|init|start)\s+(?i:the\s+)?"
            rf"(?P<function>(?i:{_API}))\b[^.;\d]{{0,20}}[:=(]\s*(?i:error|code|status)?\s*(?P<answer>{_NUMBER})(?!\s+(?:of|time|attempt|tr))"
        ),
        ("init", "start"),
    ),
    Phrase(
        _Expression(
            rf"\b(?P<function>(?i:{_API}))\b[^.;\d]{{0,20}}\b(?i:initiali[sz]\w*|init)\s+(?i:fail(?:ed|ure)?|error)\b"
            rf"[^.;\d-]{{0,20}}(?P<answer>{_NUMBER})(?!\s+(?:of|time|attempt|tr))"
        ),
        ("init",),
    ),
    Phrase(
        _Expression(rf"(?P<function>)\b(?P<answer>{_STATUS})\b"),
        ("_error", "error_", "cudaerror", "hiperror", "_status", "cl_", "egl_"),
    ),
)
"""A function, or an API, and what it answered; the surest form first."""
SUCCESS: Final = re.compile(r"^(?:-?0|0x0+|\w+_SUCCESS|\w+Success)$")

_LIBRARY = r"[\w./+~@-]*\w\.(?:so(?:\.[\w.]*\w)?|node)"
_REFUSAL = (
    r"cannot open shared object file|cannot be preloaded|file too short|invalid ELF header|wrong ELF class: \w+"
    r"|undefined symbol: \w+|version `[^']*' not found|failed to map segment from shared object"
    r"|cannot (?:enable|allocate|dynamically load|make|map|read|apply|restore)[^:]{0,60}"
)
TOLD_LOAD: Final = (
    Phrase(
        _Expression(rf"(?P<subject>{_LIBRARY})['\"]?\s*(?:from\s+\S+\s+)?(?::\s+)?(?P<answer>{_REFUSAL})"),
        ("cannot ", "too short", "invalid elf", "wrong elf", "undefined symbol", "' not found", "failed to map"),
    ),
    Phrase(
        _Expression(
            r"\b(?i:could\s+not|couldn'?t|cannot|can'?t|unable\s+to|failed\s+to|error|failure|failed)\s+(?:\w+\s+)?"
            r"(?i:load|open|loading|opening|dlopen|find|finding|locate)\b[^.;]{0,40}?"
            rf"['\"`:\s(=/](?P<subject>{_LIBRARY})\b(?:['\")\s]*[:;,]\s*(?P<answer>[^;]{{1,200}}))?"
        ),
        ("load", "open", "find", "locate"),
    ),
    Phrase(
        _Expression(
            rf"(?P<subject>{_LIBRARY})['\")\]]{{0,2}}\s+(?:lib(?:rary)?\s+|file\s+)?(?:was\s+|is\s+|could\s+)?"
            r"(?P<answer>not\s+(?:be\s+)?(?:found|loaded|opened|available))"
        ),
        (" not ",),
    ),
    Phrase(
        _Expression(r"UnsatisfiedLinkError:?\s+(?P<answer>no\s+(?P<subject>\S+)\s+in\s+java\.library\.path)"),
        ("unsatisfiedlinkerror",),
    ),
    Phrase(_Expression(r"(?P<answer>undefined symbol: (?P<subject>\w+)(?:, version \w+)?)"), ("undefined symbol",)),
)
"""A library or symbol and how it was refused; the loader's own words first."""
_FAILED_TO = r"\b(?i:fail(?:ed|ure)|unable|could\s+not|couldn'?t|cannot|can'?t|error)\s+(?i:to\s+|when\s+|while\s+)?"
_VERBS = ("load", "loading", "find", "finding", "resolve", "resolving", "locate", "import", "bind", "dlsym")
_BEGINNINGS = ("cu", "nvml", "hip", "vk", "cl")
TOLD_NAME: Final = (
    Phrase(
        _Expression(
            rf"{_FAILED_TO}"
            r"(?i:get|getting|find|finding|load|loading|resolve|resolving|locate|look(?:ing)?\s*up|obtain|import|bind|dlsym)\s+"
            r"(?i:the\s+|address\s+of\s+)?(?i:driver\s+|cuda\s+|api\s+)?"
            r"(?i:functions?|symbols?|entry\s*points?|proc(?:edure)?(?:\s+address)?|address|pointer)\s+"
            rf"(?i:for\s+|of\s+|to\s+|named\s+)?['\"`]?(?P<function>{_FUNCTION})\b"
        ),
        ("function", "symbol", "entry", "proc", "address", "pointer"),
    ),
    Phrase(
        _Expression(
            rf"{_FAILED_TO}(?i:{'|'.join(_VERBS)}) "
            r"(?P<function>(?:cu|cuda|nvml|hip|vk|cl)[A-Z][a-z]+(?:[A-Z0-9]\w*)?\b)(?!\.)"
        ),
        tuple(f"{verb} {begin}" for verb in _VERBS for begin in _BEGINNINGS),
    ),
)
"""A function of an API that was looked up in vain."""

MARKS: Final = (
    "Traceback (most recent call last)", " panicked at ", "will not be used", "alling back to", "backend cpu",
    "device: cpu", "no CUDA", "CUDA driver", "NVIDIA driver", "CUDA error", "CUDA_ERROR", "cudaError", "hipError",
    "HSA_STATUS", "VK_ERROR_", "cuInit", "hsa_init", "CUDA initialization", "ot compiled with CUDA",
    "in available provider", "cannot open shared object file", "cannot be preloaded", "undefined symbol: ",
    "java.library.path", "layers to GPU", "llvmpipe",
)  # fmt: skip
"""Texts of decisive lines that the collector can look for in every line of a flood: each holds a byte that is rare in
logs, with four bytes from there on (stream/literals.py), so that the search stays fast. Case counts."""
