"""Events about files that are or could be loaded: mappings, ELF facts, scope, predictions, passive evidence."""

from typing import Literal

from .base import Event, Fact

Route = Literal["executable", "interpreter", "preload", "audit", "needed", "dlopen", "vdso", "unknown"]
FileState = Literal["current", "replaced", "deleted", "modified", "unmapped", "unknown"]


class LibraryMapped(Event, frozen=True, kw_only=True):
    """A file is mapped executable in a process; the same pid and base again replaces what was known."""

    pid: int
    path: str
    """Path as the process sees it, without ` (deleted)`."""
    base: int
    """Load bias (link_map.l_addr) where known, else the start of the first mapping."""
    file: str
    """Identity `MAJOR:MINOR:INODE` in hexadecimal, hexadecimal, decimal."""
    size: int = 0
    """Bytes of the file."""
    route: Route = "unknown"
    route_by: str = ""
    """What brought it in: the LD_PRELOAD entry, the object whose DT_NEEDED names it, the caller of dlopen."""
    asked: str = ""
    """The name it was asked by: `libcuda.so.1`."""
    links: list[str] = []
    """The chain of symbolic links from the asked path to the real file, each path once."""
    namespace: int = 0
    """Link-map namespace (dlmopen); 0 is the main one."""
    order: int = -1
    """Position in link-map order; -1 unknown."""
    state: FileState = "current"
    state_detail: str = ""
    """`mapped inode 77, on disk inode 91, 6 min newer`."""
    mtime: int = 0
    """mtime of the file on disk now, ns since the epoch."""


class LibraryUnmapped(Event, frozen=True, kw_only=True):
    """A mapping went away (dlclose) while its program goes on; an exec or an end takes all of them without a word."""

    pid: int
    base: int
    path: str


class Export(Fact, frozen=True, kw_only=True):
    """A defined dynamic symbol."""

    name: str
    version: str = ""
    default: bool = True
    """True for name@@version."""
    kind: Literal["func", "object", "ifunc", "tls", "notype", "other"] = "func"
    visible: bool = True
    """False when STV_HIDDEN or STB_LOCAL."""
    address: int = 0
    """st_value."""
    size: int = 0
    weak: bool = False


class Need(Fact, frozen=True, kw_only=True):
    """An undefined dynamic symbol with the version node and the file that it is expected from."""

    name: str
    version: str = ""
    file: str = ""
    weak: bool = False
    function: bool = True


class ImageRead(Event, frozen=True, kw_only=True):
    """What a library or executable file says about itself; one per file identity."""

    file: str
    path: str
    """Path that was read."""
    error: str | None = None
    """Why it could not be read as ELF, in words; all other fields may then be empty."""
    elf_class: int = 64
    elf_machine: str = "x86_64"
    kind: Literal["executable", "pie", "shared", "other"] = "shared"
    interpreter: str | None = None
    soname: str | None = None
    needed: list[str] = []
    rpath: str | None = None
    runpath: str | None = None
    build_id: str = ""
    sha256: str = ""
    """Only of small files that provide an API (identity beyond the build-id)."""
    version_nodes: list[str] = []
    """Nodes that it defines (.gnu.version_d), the base node left out."""
    has_version_table: bool = False
    """True when it has any of .gnu.version_d."""
    version_needs: dict[str, list[str]] = {}
    """SONAME -> nodes that it needs (.gnu.version_r)."""
    exports: list[Export] = []
    """Names of the watch plan and libc names; all names of files that provide an API."""
    hidden: list[Export] = []
    """Names of the watch plan that exist in .symtab or .dynsym but cannot be bound (local or hidden)."""
    mangled: dict[str, str] = {}
    """Functions of the watch plan -> the C++ name under which alone the file offers them: cuInit -> _Z6cuInitj."""
    exports_total: int = 0
    overrides: list[str] = []
    """libc and loader names that this file defines although it is not libc: open, read, dlopen, dlsym, malloc, ..."""
    undefined: list[Need] = []
    """Undefined names: all of files that are not system libraries; of system ones only names of the watch plan."""
    dlopen_names: list[str] = []
    """`lib*.so*` strings in read-only data: names that it may pass to dlopen."""
    api_names: list[str] = []
    """API function names of the watch plan in read-only data: names that it may look up with dlsym."""
    imports_lookup: bool = False
    """It imports dlopen, dlsym or dlvsym."""
    gpu_architectures: list[str] = []
    """`sm_90` and the like found in embedded GPU code, if any."""


class ScopeRead(Event, frozen=True, kw_only=True):
    """Link-map order of one namespace: the look-up order of the global scope, first wins."""

    pid: int
    namespace: int = 0
    order: list[str]
    """Paths; the executable first."""


class PreloadChecked(Event, frozen=True, kw_only=True):
    """One entry of LD_PRELOAD, LD_AUDIT or /etc/ld.so.preload, checked as the process sees the file system."""

    pid: int
    source: Literal["LD_PRELOAD", "LD_AUDIT", "/etc/ld.so.preload"]
    entry: str
    path: str | None = None
    """Where it was found."""
    there: bool = False
    """A file has that name, though perhaps none that could be used or read."""
    usable: bool | None
    problem: str = ""
    words: str = ""
    """What ld.so prints about it."""


class SearchStep(Fact, frozen=True, kw_only=True):
    """One place that the loader looks at for a name."""

    path: str
    rule: str
    """`LD_LIBRARY_PATH`, `DT_RPATH of X`, `DT_RUNPATH of X`, `ld.so.cache`, `default`, `loaded`, `given path`."""
    result: str
    """`found`, `no such file`, `wrong class`, `cannot read`, ..."""


class Dependency(Fact, frozen=True, kw_only=True):
    """One object of a predicted dependency tree."""

    name: str
    path: str | None
    by: str
    """The object that needs it."""
    rule: str = ""
    steps: list[SearchStep] = []
    """All places looked at; filled for a missing one and for the root."""


class LoadPredicted(Event, frozen=True, kw_only=True):
    """What ld.so would do with a file or name in the context of one process, computed from files alone."""

    pid: int
    name: str
    """What is loaded: a path or a SONAME."""
    requester: str = ""
    asked: bool = False
    """A person asked what would happen; nothing says that the program would ever do it."""
    ok: bool | None
    """None: cannot be said; `unknown_because` tells why."""
    words: str = ""
    """The loader's own words for the failure: `libcublasLt.so.12: cannot open shared object file: ...`."""
    unknown_because: str = ""
    tree: list[Dependency] = []
    missing: list[Dependency] = []
    undefined: list[Need] = []
    """Needed names that nothing offers, or not at that version node."""
    offered_instead: dict[str, str] = {}
    """For a name in `undefined`: what is offered, `libcublas.so.12 offers it @CUBLAS_12.0`."""


class CandidateFound(Event, frozen=True, kw_only=True):
    """A file near this process that could matter, whether or not it was ever opened.

    Kind `backend`: a plug-in that a profile expects there. Kind `provider`: a file in a directory of the process's own
    search path (LD_LIBRARY_PATH, directories of its preloads) that provides an API, be it under another name; `profile`
    is then the API. Its `ImageRead` is sent as well.
    """

    pid: int
    profile: str
    path: str
    file: str
    directory: str
    kind: str = "backend"


class NeverExecuted(Event, frozen=True, kw_only=True):
    """Functions proven not executed since `since`: their code page was never read in (passive, before any probe)."""

    pid: int
    path: str
    file: str
    base: int
    since: int
    """CLOCK_MONOTONIC ns of the exec."""
    functions: list[str]
    """Names of the watch plan that are proven not executed."""
    proven: int
    """How many of all exported functions are proven not executed."""
    total: int
    caveat: str = ""
    """Memory pressure that weakens the proof; empty when there was none."""


class Slot(Fact, frozen=True, kw_only=True):
    """One GOT slot of a consumer for an API function."""

    name: str
    bound_to: str | None
    """Path of the library that its content points into; None when not bound yet."""
    lazy: bool = True
    """False: bound at load time (BIND_NOW, RELRO or GLOB_DAT), which says nothing about calls."""


class SlotsRead(Event, frozen=True, kw_only=True):
    """Content of the GOT slots of one consumer for API functions (passive)."""

    pid: int
    path: str
    """The consumer."""
    slots: list[Slot]


class PointersHeld(Event, frozen=True, kw_only=True):
    """Addresses of exported API functions found in writable memory: they were looked up (or are data of a library)."""

    pid: int
    path: str
    """The library that the addresses point into."""
    holders: dict[str, list[str]]
    """Owner of the memory -> function names."""
    complete: bool = True


class CodePatched(Event, frozen=True, kw_only=True):
    """Private anonymous pages inside a file's executable mapping: somebody patched or probed this code before us."""

    pid: int
    path: str
    pages: int


class Copy(Fact, frozen=True, kw_only=True):
    """One file or node that goes by an asked name, or nearly, and whether it would do."""

    path: str
    """As the process spells it; as the collector's machine does where `outside`."""
    outside: bool = False
    """It lies outside of the process's own file tree: on the host of a container, or hidden by a mount."""
    place: str
    """Why it was looked at: `asked folder`, `LD_LIBRARY_PATH`, `set inside` (the same, as the program set it later),
    `search path`, `ld.so.cache`, `default`, `beside` (who asks, or the program), `similar name` (of a folder that is
    not there), `mapped`, or the kind of a folder that a profile names: `driver`, `toolkit`, `stubs`, `compat`, `wsl`,
    `wheel`, `conda`, `node-modules`, `local`."""
    rule: str = ""
    """Rule by which the loader of this process looks there for the asked name (see `SearchStep.rule`); empty: it does
    not look there, or not under this name."""
    order: int = 0
    """Place in that search, from 1; 0 where `rule` is empty."""
    mapped_by: list[int] = []
    """Processes of the tree that have it mapped."""
    soname: str | None = None
    version_nodes: list[str] = []
    """Nodes that it defines."""
    usable: bool | None = None
    """Whether this process's loader would take it and it has what is wanted; None where that cannot be said."""
    problem: str = ""
    """Why it would not do: `wrong ELF class: ELFCLASS32`, `permission denied`, `it does not define V2`."""
    brought_by: str = ""
    """What would bring it in: a setting `KEY=VALUE`, an option `--library-path VALUE` of ld.so, a link
    `LINK -> TARGET`; empty where none is known."""


class CopiesFound(Event, frozen=True, kw_only=True):
    """Where else a refused or missing name is: what a bounded search of this machine's likely places gave.

    Once for each name that a process of the tree asked for in vain (file, symbol, version node, device node), and for
    the SONAME of each mapped file that provides an API. The same pid, kind and name again replace what was known.
    """

    pid: int
    """The process that asked first; another one of the same file tree and search path is not told again."""
    kind: Literal["library", "symbol", "version", "device", "provider"]
    asked: str
    """The file name or path; for `symbol` its name, for `version` the SONAME."""
    wanted: str = ""
    """For `version` the node; for `symbol` the node that was asked for, if any."""
    library: str = ""
    """For `symbol` and `version`: the file that lacks it; for `provider`: the mapped one."""
    requester: str = ""
    """Path of the library that asked, where it is known."""
    copies: list[Copy] = []
    """Those of the loader's own search first and in its order; empty: there is none in any of these places."""
    places: list[str] = []
    """Folders that were looked at and are there."""
    brought_by: str = ""
    """For `device`: the command that would make the node here, `modprobe nvidia-uvm`; empty where none is known."""
    complete: bool = True
    """False: there were more places than the search may look at."""


class PackageRead(Event, frozen=True, kw_only=True):
    """A package of which there are builds without a part for the GPU is in use; what its files say of this build.

    Once a process and package; from the files beside the one that is mapped.
    """

    pid: int
    package: str
    path: str
    """The mapped file."""
    gpu_part: bool | None
    """False: this build has none. None: the files do not tell."""
    found: list[str] = []
    """Paths that say so: the part for the GPU, or what only a build without one has."""
    looked: list[str] = []
    """Where such a part would lie; filled when none is there."""


class LoaderWordsFound(Event, frozen=True, kw_only=True):
    """Sentences of the loader in the writable memory of a process that lived before us: what it refused then.

    They may be old, and what they tell of may have been found by another name since. Once a program.
    """

    pid: int
    words: list[str]
    """As dlerror(3) gives them: `libcuda.so.1: cannot open shared object file: No such file or directory`."""
