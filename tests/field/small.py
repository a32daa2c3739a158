"""Small programs that stand for kinds of real ones, each with the answer that is right.

A script runs in a shell with `$D`, the folder of `small_build.py`, and LD_LIBRARY_PATH=$D/real.
"""

import os
import sys
from dataclasses import dataclass

from .expected import Expected

PYTHON = f"exec {os.path.realpath(sys.executable)} -c"
"""The interpreter itself, not what stands in front of it on some machines."""


@dataclass(frozen=True)
class Small:
    """One case."""

    name: str
    script: str
    expected: Expected
    attached: bool = False
    """Looked at two seconds after its start, not started by us."""


def _cpu(*says: str, unsure: bool = False) -> Expected:
    return Expected("cpu", says, unsure=unsure)


GPU = Expected("cuda", blames_nothing=True, unsure=True)
NO_DEVICE = _cpu("cuInit = 100")
REFUSED = Expected("cpu", ("cuInit = 100",), never=("SIGSEGV",))
OUT_OF_MEMORY = _cpu("cuMemAlloc_v2 = 2 (CUDA_ERROR_OUT_OF_MEMORY)")
SPINS = Expected("cpu|undecided", ("cuInit",))
ENDS_IN_LOAD = _cpu("ended during the load of libcuda.so.1")
ENDS_IN_CALL = _cpu("ended inside cuInit of libcuda.so.1")
STAYS_IN_LOAD = Expected("cpu|undecided", ("the load of libcuda.so.1", "set_up_device"), never=("failed to load",))
NOT_BEGUN = _cpu("cuInit = 999")
NVML = _cpu("nvmlDeviceGetCount_v2")
WITHOUT_BEGINNING = _cpu("cuInit", "/no-beginning/libcuda.so.1")
_NOT_FOUND = "libcuda.so.1"
_CLIENT = """
import socket, time
listening = socket.create_server(("127.0.0.1", 0))
connected = socket.create_connection(listening.getsockname())
until = time.time() + 3
while time.time() < until: sum(range(100000))
"""
_SET_INSIDE = """
import ctypes, os, time
os.environ["LD_LIBRARY_PATH"] = os.environ["D"] + "/real"
try: ctypes.CDLL("libcuda.so.1")
except OSError as error: print("no GPU:", error, flush=True)
time.sleep(3)
"""
_HIDDEN_INSIDE = """
import ctypes, os, time
os.environ["CUDA_VISIBLE_DEVICES"] = ""
print(ctypes.CDLL("libcuda.so.1").cuInit(0), flush=True)
time.sleep(3)
"""
_TRACEBACK = """
import ctypes
ctypes.CDLL("libcuda.so.1").cuInit(0)
import no_such_module_anywhere
"""
_BECOMES_A_SHELL = """
import ctypes, os
ctypes.CDLL("libcuda.so.1").cuInit(0)
os.execvp("sh", ["sh", "-c", "sleep 2"])
"""
_FOUND_UNUSED = """
import ctypes, time
driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
print(driver.cuInit(0), driver.cuDeviceGetCount(ctypes.byref(count)), count.value, flush=True)
until = time.time() + 6
while time.time() < until: sum(i * i for i in range(10000))
"""
_COUNTS_ALL_THE_SAME = """
import ctypes, time
driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
print(driver.cuInit(0), driver.cuDeviceGetCount(ctypes.byref(count)), count.value, flush=True)
time.sleep(3)
"""
_IS_IT_LOADED = """
import ctypes, os, time
for name in ("libcudart.so.12", "libnvidia-ml.so.1"):
    try: ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError as error: print("not loaded:", name, error)
time.sleep(3)
"""
_ELSEWHERE = (
    "unset LD_LIBRARY_PATH; exec unshare -m sh -c 'mount -t tmpfs none /opt && mkdir -p /opt/cuda/compat && "
    "cp $D/real/libcuda.so.1 /opt/cuda/compat/ && exec $D/program'"
)
_SET_USER_ID = 'cp "$D/program" "$D/set-user-id" && chown 65534 "$D/set-user-id" && chmod 4755 "$D/set-user-id"'

_NO_BEGINNING = """
import ctypes, time
try: ctypes.CDLL("libcuda.so.1").cuInit(0)
except AttributeError as error: print("no GPU:", error, flush=True)
time.sleep(9)
"""
_ERROR_ONLY = """
import time
print("monitor: NVMLError_LibraryNotFound NVML Shared Library Not Found", flush=True)
until = time.time() + 40
while time.time() < until: sum(range(100000))
"""

CASES = [
    Small("works", "exec $D/program", GPU),
    Small("behind a wrapper", "FIELD_ANSWER=100 exec sh -c 'exec $D/program'", NO_DEVICE),
    Small("a node is missing", "FIELD_NODES=$D/devices exec $D/program", _cpu("nvidia-uvm", "is not there")),
    Small(
        "no descriptor is left",
        "ulimit -n 5; FIELD_KEEP=1 FIELD_NODES=$D/all-devices exec $D/program",
        _cpu("EMFILE", "limit of open files of this process is 5"),
    ),
    Small(
        "stub first",
        "LD_LIBRARY_PATH=$D/stub:$D/real exec $D/program",
        Expected("cpu", ("/stub/libcuda.so.1", "link-time stub", "/real/libcuda.so.1"), never=("lost",)),
    ),
    Small("asks what is loaded", f"{PYTHON} '{_IS_IT_LOADED}'", Expected("cpu", blames_nothing=True)),
    Small(
        "trampolines",
        "LD_LIBRARY_PATH=$D/empty exec $D/framework",
        Expected("cpu", (_NOT_FOUND, "not found", "libframework.so.2"), never=("SONAME",)),
    ),
    Small(
        "versions clash",
        "LD_LIBRARY_PATH=$D/old:$D/real exec $D/program loads $D/wheel/libbackend-cuda.so",
        _cpu("V2", "libhelper.so.12", "/old/libhelper.so.12"),
    ),
    Small(
        "by its absolute path",
        "exec $D/program loads /no/such/lib/libnvidia-encode.so.1",
        _cpu("/no/such/lib/libnvidia-encode.so.1"),
    ),
    Small(
        "a preload is ignored",
        "LD_PRELOAD=/no/such/libvgpu.so exec $D/program",
        Expected("cuda", blames_nothing=True, never=("into every",)),
    ),
    Small(
        "started by the loader",
        "exec /lib64/ld-linux-x86-64.so.2 --library-path $D/old $D/program",
        _cpu(_NOT_FOUND, "--library-path"),
    ),
    Small("without its number", "exec $D/program asks libcuda.so", _cpu("libcuda.so ", "libcuda.so.1")),
    Small("in a folder that nobody searches", _ELSEWHERE, _cpu(_NOT_FOUND, "/opt/cuda/compat/libcuda.so.1")),
    Small("talks to itself", f"{PYTHON} '{_CLIENT}'", Expected("cpu", blames_nothing=True, never=("client",))),
    Small("asks again after fork", "FIELD_NO_FORK=1 exec $D/program workers", _cpu("cuInit = 3", "fork")),
    Small("set too late", f"unset LD_LIBRARY_PATH; {PYTHON} '{_SET_INSIDE}'", _cpu("was set inside", _NOT_FOUND)),
    Small("hidden from inside", f"{PYTHON} '{_HIDDEN_INSIDE}'", _cpu("CUDA_VISIBLE_DEVICES")),
    Small(
        "ends by its own error",
        f"{PYTHON} '{_TRACEBACK}'",
        Expected("cpu|undecided", ("no_such_module_anywhere",), never=("driver is",)),
    ),
    Small("finds it and uses the processor", f"{PYTHON} '{_FOUND_UNUSED}'", _cpu(unsure=True)),
    Small(
        "asks for nothing",
        f"unset LD_LIBRARY_PATH; {PYTHON} 'print(sum(range(10**7)))'",
        Expected("cpu", blames_nothing=True),
    ),
    Small(
        "met late, and never asked why",
        "exec $D/silent libcuda-not-here.so.1",
        _cpu("libcuda-not-here.so.1", "not found", unsure=True),
        attached=True,
    ),
    Small("has no beginning", f"LD_LIBRARY_PATH=$D/no-beginning {PYTHON} '{_NO_BEGINNING}'", WITHOUT_BEGINNING),
    Small(
        "has no beginning, late",
        f"LD_LIBRARY_PATH=$D/no-beginning {PYTHON} '{_NO_BEGINNING}'",
        WITHOUT_BEGINNING,
        attached=True,
    ),
    Small(
        "hangs, late",
        "FIELD_HANG=1 exec $D/program",
        Expected("cpu|undecided", ("cuInit", "/real/libcuda.so.1")),
        attached=True,
    ),
    Small(
        "cut short",
        "LD_LIBRARY_PATH=$D/cut exec $D/program",
        _cpu("/cut/libcuda.so.1", "truncated"),
    ),
    Small(
        "tells an error and nothing else, late",
        f"unset LD_LIBRARY_PATH; {PYTHON} '{_ERROR_ONLY}'",
        _cpu("NVMLError_LibraryNotFound"),
        attached=True,
    ),
    Small("memory is refused amid work", "FIELD_MEMORY=33554432 exec $D/memory silent", OUT_OF_MEMORY),
    Small("memory is refused, it says so", "FIELD_MEMORY=33554432 exec $D/memory says", OUT_OF_MEMORY),
    Small(
        "memory is refused, it says so, late",
        "FIELD_MEMORY=33554432 FIELD_SECONDS=20 exec $D/memory says",
        _cpu("too little memory", "not enough memory (2)"),
        attached=True,
    ),
    Small("refuses to begin and counts", f"LD_LIBRARY_PATH=$D/hollow {PYTHON} '{_COUNTS_ALL_THE_SAME}'", NOT_BEGUN),
    Small("memory is refused, pinned is granted", "FIELD_MEMORY=33554432 exec $D/memory pinned", OUT_OF_MEMORY),
    Small(
        "memory is refused, it ends",
        "FIELD_MEMORY=33554432 exec $D/memory ends",
        Expected("cuda", OUT_OF_MEMORY.says, unsure=True),
    ),
    Small("memory is refused to a worker", "FIELD_MEMORY=33554432 exec $D/memory worker", OUT_OF_MEMORY),
    Small("memory is refused, less is granted", "FIELD_MEMORY=33554432 exec $D/memory retries", GPU),
    Small("memory is refused, it works on", "FIELD_MEMORY=33554432 exec $D/memory goes-on", GPU),
    Small("spins", "FIELD_SPIN=1 exec timeout -s KILL 12 $D/program", SPINS),
    Small("spins, late", "FIELD_SPIN=1 exec $D/program", SPINS, attached=True),
    Small(
        "a shim that asks in every tool",
        "FIELD_ANSWER=100 LD_PRELOAD=$D/preloaded/libvgpu.so exec sh -c 'sort /dev/null; sleep 1; cat /dev/null'",
        Expected("cpu", blames_nothing=True),
    ),
    Small("is named like a tool", "cp $D/program $D/sort; FIELD_ANSWER=100 exec $D/sort", NO_DEVICE),
    Small(
        "looks up all names, then begins",
        "LD_LIBRARY_PATH=$D/no-count exec $D/asks-first",
        _cpu("cuDeviceGetCount", "/no-count/libcuda.so.1"),
    ),
    Small("becomes a shell", f"export FIELD_ANSWER=100; {PYTHON} '{_BECOMES_A_SHELL}'", NO_DEVICE),
    Small("ends while it is loaded", "FIELD_AT_LOAD=ends LD_LIBRARY_PATH=$D/stays exec $D/program", ENDS_IN_LOAD),
    Small("ends in a call", "FIELD_AT_CALL=ends LD_LIBRARY_PATH=$D/stays exec $D/program", ENDS_IN_CALL),
    Small(
        "waits while it is loaded",
        "FIELD_AT_LOAD=waits LD_LIBRARY_PATH=$D/stays exec timeout -s KILL 12 $D/program",
        STAYS_IN_LOAD,
    ),
    Small(
        "waits while it is loaded, late",
        "FIELD_AT_LOAD=waits LD_LIBRARY_PATH=$D/stays exec $D/program",
        STAYS_IN_LOAD,
        attached=True,
    ),
    Small(
        "spins while a name is looked up",
        "LD_LIBRARY_PATH=$D/chooses exec timeout -s KILL 12 $D/program",
        Expected("cpu|undecided", ("choose_code of libcuda.so.1",), never=("does not have it", "never called")),
    ),
    Small(
        "a link to nothing",
        "LD_LIBRARY_PATH=$D/dangling exec $D/program",
        _cpu("/dangling/libcuda.so.1", "a link to", "/dangling/libcuda.so.535.99"),
    ),
    Small("a link to itself", "LD_LIBRARY_PATH=$D/circle exec $D/program", _cpu("/circle/libcuda.so.1", "in a circle")),
    Small("a directory in its place", "LD_LIBRARY_PATH=$D/directory exec $D/program", _cpu("Is a directory")),
    Small("no room for thread-locals", "LD_LIBRARY_PATH=$D/thread-local exec $D/program", _cpu("static TLS block")),
    Small("handles a fault", "FIELD_ANSWER=100 exec $D/program handled", REFUSED),
    Small("found by its path", "LD_LIBRARY_PATH=$D/empty exec $D/program path $D/real/libcuda.so.1", GPU),
    Small("looks for tools", "exec $D/program tools", GPU),
    Small("an add-on lacks a library", "exec $D/program quiet $D/addon/index.node", _cpu("libnccl.so.2", "index.node")),
    Small("told of no device", "LD_LIBRARY_PATH=$D/nvml exec $D/program nvml", NVML),
    Small("bound and never called", "exec $D/linked-program", Expected("cuda", blames_nothing=True, unsure=True)),
    Small(
        "bound, never called, and refused",
        "FIELD_ANSWER=100 exec $D/linked-program",
        Expected("cpu", ("cuInit = 100",)),
    ),
    Small("a static program", "exec $D/static-program", GPU),
    Small("of a later version", "exec $D/program asks libcuda.so.12", _cpu("libcuda.so.12", "libcuda.so.1 ")),
    Small(
        "set-user-ID",
        f'{_SET_USER_ID} && exec "$D/set-user-id"',
        _cpu(_NOT_FOUND, "LD_LIBRARY_PATH", "AT_SECURE"),
    ),
]  # fmt: skip
