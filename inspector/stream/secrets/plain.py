"""What is plainly no secret: numbers, times, paths, hosts, identifiers, and words that messages or this field have.

Asked of what stands behind a name that nobody knows: there, what is not plain is not shown.
"""

from functools import lru_cache

from inspector.stream.lazy_pattern import lazy

from .known import known
from .opaque import UUID
from .unknown import is_word

_PAIR = lazy(r"[A-Za-z][\w.@-]{1,63}[:/]([^:/@\s]{4,256})")
_LONGEST, _MOST = 256, 4096
"""Characters of a value that is kept in mind, and of one that is looked at."""
_LISTED = lazy(r"[,\s]+")
_LEAST = 4
"""Characters that a secret has; shorter pieces are in any name."""
_LETTER = lazy(r"[^\W\d_]")
_NUMBER = lazy(
    r"[~<>=^]{0,2}[+-]?(?:0[xX][0-9a-fA-F_]+|\.?\d+(?:[.:,/x*_-]\d+)*(?:e[+-]?\d+)?)\s?"
    r"(?:[%\u00b0+]|[A-Za-z\u00b5]{1,3}(?:/s)?|bits?|bytes?|days?|hours?|mins?|secs?|[Tt]okens?)?"
    r"|(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:[a-z\u00b5]?s|h|m)"
    r"|[vVrR]?\d+(?:[._]\d+)*(?:[-+~.](?:rc|beta|alpha|post|dev|cu|ubuntu|git|[gbpr])?\d+[a-z]?(?:\.\d+)*|(?:rc|cu|[abp])\d+){0,4}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,12}|0*(?:7f|55|56|ff)[0-9a-f]{10,14}"
    r"|(?=[0-9a-f]{0,7}\d)(?:[0-9a-f]{8}|[0-9a-f]{16})"
)
_PATH = lazy(
    r"(?:~?/|(?!\w+://)[\w.+@~-]+(?:/[\w.+@~-]+)*/$|\.{1,2}/|\$|%|[A-Za-z]:[\\/]|@/|-)\S*"
    r"|(?!\w+://)[\w.+@~/-]+\.(?:so(?:\.\d+)*|[ch]|cc|cpp|cu|cuh|go|rs|py|js|ts|java|cs|sh|json|ya?ml|toml|xml|txt|log|md|conf|cfg|ini|gguf|"
    r"bin|onnx|pth?|ckpt|safetensors|npy|npz|csv|tsv|parquet|db|sqlite3?|sock|pid|lock|service|target|dll|exe|jar|whl|deb|rpm|"
    r"tar|gz|zst|xz|zip|png|jpe?g|webp|gif|svg|mp[34]|mkv|mov|wav|ogg|flac|html?|css|pem|key|crt|ptx|cubin|spv|hsaco|engine|plan|"
    r"tflite|pdf|icd|ko|elf|out|tmp|cache|local|slurm|sif|qcow2|img|iso|blend|gltf|usd|proto)"
)
_HOST = lazy(
    r"(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,8}(?::\d{1,5})?|localhost(?::\d{1,5})?"
    r"|\[[0-9a-f:]+\](?::\d+)?|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}"
)
_URL = lazy(r"[a-z][a-z0-9+.-]{1,12}://\S*")
_IDENTIFIER = lazy(
    r"(?:cu(?:da|blas|dnn|fft|rand|solver|sparse|tensor|pti)?|nv[a-z]{0,5}|nccl|hip|hsa|roc[a-z]*|rsmi|amdsmi|ggml|llama|gguf|vk|cl|gl|glx|egl|ze|zes|"
    r"xla|tf|torch|at|c10|aten|ncu|omp|kmp|ucx?|ib|mlx\d*|drm|va|vdp|d3d|dx|mtl|wgpu|sycl|mps|py|np)(?:[A-Z]\w*|_\w+)"
    r"|(?:CU(?:DA|BLAS|DNN|FFT)?|NV(?:ML|RM|IDIA)?|NCCL|HIP|HSA|GGML|VK|CL|GL|EGL|ZE|LD|SIG|E|RTLD|PROT|MAP|O|AV)_[A-Z0-9_]+"
    r"|\w+(?:::~?\w+)+|k[A-Z][A-Z_]{2,}|(?:com|org|net|io|android|javax?|sun|jdk|dev)\.[A-Za-z][\w.]*(?:/[.\w]+)?"
    r"|[a-z_]+(?:\.[a-z0-9]+)*\.[a-z0-9]+(?:_[a-z0-9]+)+|[a-z_]+(?:\.[a-z_]+)+\.[A-Z]?[A-Za-z_]+|[a-z]{2,12}(?=[_a-z]*\d)(?:_[a-z0-9]{1,12}){3,16}"
    r"|[A-Za-z][\w-]*(?:\.[\w-]+)*(?:/[\d.]+)?:\d{2,5}|[A-Z][A-Za-z]+@[0-9a-f]{1,8}|[\w.+-]{1,64}@(?:[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d))(?::\d+)?"
    r"|(?:SHA|MD)\d{1,3}:[\w+/=:]{8,128}|SIG[A-Z]{2,6}|_*Z[A-Z0-9]\w*|lib[\w.+-]+|(?:GPU|MIG|CPU|CUDA|ROCm|HIP|Vulkan|SYCL|nvidia|card|renderD)[-:]?\d*"
    r"|(?:[\w.]+(?:-[\w.]+)*[-_:])?\d{1,3}(?:\.\d)?[BbMm](?:[-_:.][\w.-]+)?|(?:GPU|MIG)-\S+|e\dm\d[a-z]{0,4}|i?q\d(?:_[a-z0-9]{1,3}){0,3}|[a-z]{2,4}\d{1,4}[a-z]{0,2}"
)
_DIGEST = lazy(r"@?sha\d{1,3}[:-][0-9a-f]{16,128}")
_OF_SHORT_ONES = lazy(
    r"(?=[A-Za-z]*(?:-[A-Za-z]+)*-?\d)(?=[^A-Za-z]*[A-Za-z])(?![A-Za-z]+(?:-[A-Za-z]+)*-\d{1,3}$)[A-Za-z0-9]{1,6}(?:-[A-Za-z0-9]{1,6}){1,8}"
)
"""Short pieces of letters and digits (`xk9-22a`): a code, unless one of them is a word."""
_SHORT_FORM = lazy(r"[A-Z]{2,4}\d{0,3}")
_JOINT = lazy(r"[\s\"'`.,;:|/+*&@#!?=~^<>\[\](){}\\_-]+")
_PIECE = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_MOST_TURNS = 3
_NOT_TOLD = lazy(r"\(hidden\)|\*+|x+|<[^<>]*>|\.{2,}|-+|(?i:none|null|nil|true|false)")


def is_plain(value: str) -> bool:
    """Whether a value is plainly no secret, whatever its name is."""
    if len(value) < _LEAST or len(value) > _MOST:
        return len(value) < _LEAST
    if len(value) <= _LONGEST:
        return is_plain_value(value)
    if _PATH().fullmatch(value) is not None or _URL().match(value) is not None:
        return True
    return all(len(part) <= _LONGEST and _is_part_plain(part) for part in _LISTED().split(value))


@lru_cache(8192)
def is_plain_value(value: str) -> bool:
    """The same for one of 4 to 256 characters: the same values come again and again."""
    if value.isalpha() and (value.islower() or value.istitle()) and is_named(value.lower()):
        return True
    return (
        _LETTER().search(value) is None
        or _NUMBER().fullmatch(value) is not None
        or _PATH().fullmatch(value) is not None
        or _URL().match(value) is not None
        or _NOT_TOLD().fullmatch(value) is not None
        or all(map(_is_part_plain, UUID().sub("", value).split(",")))
    )


def _is_part_plain(part: str) -> bool:
    if len(part) < _LEAST:
        return True
    if any(pattern().fullmatch(part) is not None for pattern in (_NUMBER, _PATH, _HOST, _IDENTIFIER, _SHORT_FORM)):
        return True
    if _OF_SHORT_ONES().fullmatch(part) is not None and not any(map(_is_of_field, _JOINT().split(part))):
        return False
    return all(map(_is_word_plain, _JOINT().split(_DIGEST().sub("", part))))


def _is_of_field(word: str) -> bool:
    small = word.lower()
    return small in known().field or small.rstrip("0123456789") in known().field or is_word(small)


def _is_word_plain(word: str) -> bool:
    """A word, perhaps of several in one: `LoadFormat`, `fp8_e4m3`, `node7`."""
    if len(word) < _LEAST and not (word.isalnum() and not word.isalpha() and not word[0].isalpha()):
        return True
    if _NUMBER().fullmatch(word) is not None or _IDENTIFIER().fullmatch(word) is not None:
        return True
    small = word.lower()
    if small in known().field or small.rstrip("0123456789") in known().field:
        return True
    pieces = _PIECE().findall(word)
    if sum(piece.isdigit() or len(piece) < _LEAST for piece in pieces) > _MOST_TURNS:
        return False  # letters and digits mixed, as no word is
    return all(piece.isdigit() or len(piece) < _LEAST or is_named(piece.lower()) for piece in pieces)


def begin_of_secret(value: str) -> int:
    """Where in a value, which is not plain, that begins which is not: behind the user of `bob:X` and `bob/X`."""
    pair = _PAIR().fullmatch(value)
    return pair.start(1) if pair is not None and not is_plain(pair[1]) else 0


def is_named(word: str) -> bool:
    """Whether messages or this field have a word, and people do not take it for a password."""
    return word in known().field or (is_word(word) and word not in known().taken)
