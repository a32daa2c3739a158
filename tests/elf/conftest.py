"""Libraries that many tests of this folder read."""

from pathlib import Path

import pytest

from .workshop import Workshop

SHIM = """
int cuInit(unsigned f) { return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet_old(int *d, int o) { return 1; }
int cuDeviceGet_new(int *d, int o) { return 0; }
__asm__(".symver cuDeviceGet_old,cuDeviceGet@V_1");
__asm__(".symver cuDeviceGet_new,cuDeviceGet@@V_2");
static int __attribute__((noinline)) cuCtxGetFlags(unsigned *f) { *f = 1; return 0; }
int call(unsigned *f) { return cuCtxGetFlags(f); }
extern void *dlsym(void *, const char *);
extern void *dlopen(const char *, int);
void *ask(void *h, int which) {
  static const char *const names[] = {"cuGetProcAddress_v2", "nvmlInit_v2", "libnvidia-ml.so.1", "/opt/x/libfoo.so"};
  return which > 1 ? dlopen(names[which & 3], 2) : dlsym(h, names[which & 1]);
}
int open(const char *path, int flags, ...) { return -1; }
int version_data = 3;
__thread int thread_data;
"""
SHIM_SCRIPT = (
    "V_1 { global: cuInit; call; ask; open; version_data; thread_data; };\nV_2 { global: cu*; local: *; } V_1;\n"
)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def shim(workshop: Workshop) -> Path:
    """A CUDA driver shim with two version nodes, a hidden function, an override and look-ups by name."""
    return workshop.library("libshim.so", SHIM, soname="libcuda.so.1", script=SHIM_SCRIPT)
