/* A stand-in for libcudart.so.12 that hands on to libcuda.so.1 as the real one does. It notes every call. */
#include "calls.h"
#include <dlfcn.h>
#include <string.h>

static void *driver;
static int state = -1, devices;

static int ask(const char *name, void *first, long second, long third) {
    int (*function)(void *, long, long) = driver ? dlsym(driver, name) : NULL;
    return function ? function(first, second, third) : 500;
}

static int start(void) {
    if (state >= 0) return state;
    driver = dlopen("libcuda.so.1", RTLD_NOW);
    if (!driver) return state = 35;
    state = ask("cuInit", NULL, 0, 0);
    if (!state) state = ask("cuDeviceGetCount", &devices, 0, 0);
    return state = state ? state : devices ? 0 : 100;
}

int cudaGetDeviceCount(int *count) {
    note(__func__);
    int result = start();
    *count = result ? 0 : devices;
    return result;
}

int cudaSetDevice(int device) { note(__func__); return start(); }

int cudaDriverGetVersion(int *version) {
    note(__func__);
    start();
    *version = 0;
    return ask("cuDriverGetVersion", version, 0, 0);
}

int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    note(__func__);
    return start() ? state : ask("cuDeviceGetAttribute", value, attribute, device);
}

int cudaGetDeviceProperties_v2(void *properties, int device) {
    note(__func__);
    if (start()) return state;
    memset(properties, 0, 1032);
    return ask("cuDeviceGetName", properties, 256, device);
}

int cudaMemGetInfo(size_t *free, size_t *total) {
    note(__func__);
    return start() ? state : ask("cuMemGetInfo_v2", free, (long)total, 0);
}

const char *cudaGetErrorString(int error) {
    note(__func__);
    return error == 35 ? "CUDA driver version is insufficient for CUDA runtime version"
        : error == 100 ? "no CUDA-capable device is detected" : error ? "unknown error" : "no error";
}

int cudaMalloc(unsigned long long *address, size_t size) {
    note(__func__);
    return start() ? state : ask("cuMemAlloc_v2", address, (long)size, 0);
}

/* Not of the real one, which launches from code that the compiler makes: called by the stand-in for a backend. */
int cudaStandInLaunch(void) { return start() ? state : ask("cuLaunchKernel", NULL, 1, 1); }
