"""What the small cases are made of: a driver, programs in the shapes in which they come, libraries that do not fit."""

import subprocess
from pathlib import Path

_STAND_INS = Path(__file__).parent / "stand_ins"
_TRAMPOLINES = """
#include <dlfcn.h>
static void *driver;
static void *find(const char *name) {
    if (!driver) driver = dlopen("libcuda.so.1", RTLD_NOW);
    return driver ? dlsym(driver, name) : 0;
}
int cuInit(unsigned flags) { int (*real)(unsigned) = find("cuInit"); return real ? real(flags) : 999; }
int cuDeviceGetCount(int *count) { int (*real)(int *) = find("cuDeviceGetCount"); return real ? real(count) : 999; }
"""
_ASKS_FRAMEWORK = """
#include <stdio.h>
#include <unistd.h>
int cuInit(unsigned), cuDeviceGetCount(int *);
int main(void) {
    int devices = 0, result = cuInit(0);
    if (!result) result = cuDeviceGetCount(&devices);
    printf("could not find a driver (%d), running on the CPU\\n", result);
    fflush(stdout);
    sleep(3);
    return 0;
}
"""
_HELPER = "int helper_old(void) { return 1; }\nint helper_new(void) { return 2; }\n"
_BACKEND = "int helper_new(void), cuInit(unsigned);\nint start(void) { return helper_new() + cuInit(0); }\n"
_NVML = "int nvmlInit_v2(void) { return 0; }\nint nvmlDeviceGetCount_v2(int *count) { *count = 0; return 0; }\n"
_NO_BEGINNING = "int cuDeviceGetCount(int *count) { *count = 1; return 0; }\n"
_HOLLOW = "int cuInit(unsigned flags) { return 999; }\n" + _NO_BEGINNING
_STAYS = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int how(const char *name, const char *what) { return getenv(name) && !strcmp(getenv(name), what); }
__attribute__((constructor)) static void set_up_device(void) {
    if (how("FIELD_AT_LOAD", "ends")) _exit(0);
    while (how("FIELD_AT_LOAD", "waits")) pause();
}
int cuInit(unsigned flags) { if (how("FIELD_AT_CALL", "ends")) exit(0); return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
"""
_ASKS_ITSELF = """
#include <dlfcn.h>
__attribute__((constructor)) static void look(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = driver ? dlsym(driver, "cuInit") : 0;
    if (init) init(0);
}
"""
_NO_COUNT = "int cuInit(unsigned flags) { return 0; }\n"
_ASKS_FIRST = """
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = dlsym(driver, "cuInit"), (*count)(int *) = dlsym(driver, "cuDeviceGetCount");
    printf("cuInit: %d\\n", init(0));
    if (!count) puts("using the processor");
    fflush(stdout);
    sleep(3);
    return 0;
}
"""
_CHOOSES = """
static int begin(unsigned flags) { return 0; }
static int (*choose_code(void))(unsigned) { for (volatile int busy = 1; busy;) {} return begin; }
int cuInit(unsigned) __attribute__((ifunc("choose_code")));
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
"""
_SILENT = """
#include <dlfcn.h>
#include <unistd.h>
int main(int count, char **words) { dlopen(words[1], RTLD_NOW); sleep(60); return 0; }
"""
_THREAD_LOCAL = """
__thread char room[8192] __attribute__((tls_model("initial-exec")));
int cuInit(unsigned flags) { return room[flags]; }
"""
_NCCL = "int ncclStart(void) { return 0; }\n"
_ADDON = "int ncclStart(void), cuInit(unsigned);\nint start(void) { return ncclStart() + cuInit(0); }\n"


def build(folder: Path) -> None:
    """Everything that the cases name, in folders of its own."""
    driver, program = _STAND_INS / "driver.c", _STAND_INS / "program.c"
    for name in ("devices", "all-devices", "empty"):
        (folder / name).mkdir()
    for node in ("nvidiactl", "nvidia0"):
        (folder / "devices" / node).touch()
    for node in ("nvidiactl", "nvidia-uvm", "nvidia0"):
        (folder / "all-devices" / node).touch()
    _shared(folder / "real/libcuda.so.1", driver)
    _shared(folder / "stub/libcuda.so.1", driver, "-DSTUB")
    whole, cut = (folder / "real/libcuda.so.1").read_bytes(), folder / "cut/libcuda.so.1"
    cut.parent.mkdir()
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    _compile(folder / "program", program, "-ldl")
    _compile(folder / "memory", _STAND_INS / "memory.c", "-ldl")
    _compile(folder / "static-program", program, "-static", "-ldl")
    (folder / "complete.c").write_text(driver.read_text() + "\nint cuNotHere(int x) { return x; }\n")
    complete = _shared(folder / "complete/libcuda.so.1", folder / "complete.c", f"-I{_STAND_INS}")
    _compile(folder / "linked-program", program, "-DLINKED", "-Wl,-z,lazy", str(complete), "-ldl")
    framework = _shared(folder / "wheel/libframework.so.2", _text(folder, _TRAMPOLINES), "-ldl")
    origin = "-Wl,-rpath,$ORIGIN"
    _compile(folder / "framework", _text(folder, _ASKS_FRAMEWORK), str(framework), f"{origin}/wheel")
    for place, nodes in (("old", "V1 { global: helper_old; };"), ("wheel", "V1 { global: helper_old; };\nV2 {} V1;")):
        script = folder / f"{place}.map"
        script.write_text(nodes.replace("V2 {}", "V2 { global: helper_new; }"))
        _shared(folder / place / "libhelper.so.12", _text(folder, _HELPER), f"-Wl,--version-script={script}")
    needed = [str(folder / "wheel/libhelper.so.12"), str(folder / "real/libcuda.so.1")]
    _shared(folder / "wheel/libbackend-cuda.so", _text(folder, _BACKEND), *needed, origin)
    _shared(folder / "nvml/libnvidia-ml.so.1", _text(folder, _NVML))
    _shared(folder / "no-beginning/libcuda.so.1", _text(folder, _NO_BEGINNING))
    _shared(folder / "hollow/libcuda.so.1", _text(folder, _HOLLOW))
    _shared(folder / "stays/libcuda.so.1", _text(folder, _STAYS))
    _shared(folder / "thread-local/libcuda.so.1", _text(folder, _THREAD_LOCAL))
    for place in ("dangling", "circle", "directory/libcuda.so.1"):
        (folder / place).mkdir(parents=True)
    (folder / "dangling/libcuda.so.1").symlink_to("libcuda.so.535.99")
    (folder / "circle/libcuda.so.1").symlink_to("libcuda.so.1")
    _shared(folder / "preloaded/libvgpu.so", _text(folder, _ASKS_ITSELF), "-ldl")
    _shared(folder / "no-count/libcuda.so.1", _text(folder, _NO_COUNT))
    _compile(folder / "silent", _text(folder, _SILENT), "-ldl")
    _compile(folder / "asks-first", _text(folder, _ASKS_FIRST), "-ldl")
    _shared(folder / "chooses/libcuda.so.1", _text(folder, _CHOOSES))
    nccl = _shared(folder / "addon/libnccl.so.2", _text(folder, _NCCL))
    _shared(folder / "addon/index.node", _text(folder, _ADDON), str(nccl), needed[1])
    nccl.unlink()


def _text(folder: Path, source: str) -> Path:
    path = folder / "source.c"
    path.write_text(source)
    return path


def _shared(path: Path, source: Path, *words: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soname = [] if path.suffix == ".node" else [f"-Wl,-soname,{path.name}"]
    _compile(path, source, "-shared", "-fPIC", *soname, *words)
    return path


def _compile(path: Path, source: Path, *words: str) -> None:
    subprocess.run(["gcc", "-O1", "-w", "-o", path, source, *words], check=True, stderr=subprocess.DEVNULL)
