/* A stand-in for libcuda.so.1 with one device that computes nothing. It notes every call.
   FIELD_ANSWER: what cuInit answers. FIELD_NODES: folder of the device nodes that it opens, kept open with FIELD_KEEP.
   FIELD_MEMORY: bytes of memory that it has. FIELD_ABORT, FIELD_HANG, FIELD_SPIN: what it does in cuInit. FIELD_NO_FORK: it refuses children of whoever asked first.
   Compiled with -DSTUB it is what a toolkit has for linking: 34 to everything. */
#include "calls.h"
#include <string.h>

#ifdef STUB
#define ANSWER(name, arguments, body) int name arguments { note(#name); return 34; }
#else
#define ANSWER(name, arguments, body) int name arguments { note(#name); body; return 0; }
#endif

static int node(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", getenv("FIELD_NODES"), name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file >= 0 && !getenv("FIELD_KEEP")) close(file);
    return file >= 0;
}

static int begin(void) {
    static int asked;
    const char *answer = getenv("FIELD_ANSWER"), *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (asked && asked != getpid() && getenv("FIELD_NO_FORK")) return 3;
    asked = getpid();
    if (getenv("FIELD_ABORT")) abort();
    while (getenv("FIELD_HANG")) pause();
    for (volatile int turns = 0; getenv("FIELD_SPIN");) turns++;
    if (answer) return atoi(answer);
    if (getenv("FIELD_NODES")) {
        if (!node("nvidiactl")) return 100;
        if (!node("nvidia-uvm")) return 999;
        if (!node("nvidia0")) return 100;
    }
    return visible && strcmp(visible, "0") && strncmp(visible, "GPU-", 4) ? 100 : 0;
}

static size_t used;
static int take(unsigned long long *address, size_t size) {
    if (getenv("FIELD_MEMORY") && used + size > strtoull(getenv("FIELD_MEMORY"), 0, 10)) return 2;
    size_t *block = malloc(sizeof size);
    used += *block = size;
    *address = (unsigned long long)block;
    return 0;
}

ANSWER(cuInit, (unsigned flags), int no = begin(); if (no) return no)
ANSWER(cuDriverGetVersion, (int *version), *version = 12080)
ANSWER(cuDeviceGetCount, (int *count), *count = 1)
ANSWER(cuDeviceGet, (int *device, int ordinal), *device = ordinal)
ANSWER(cuDeviceGetName, (char *name, int size, int device), snprintf(name, size, "Stand-in"))
ANSWER(cuDeviceTotalMem_v2, (size_t *bytes, int device), *bytes = 8ull << 30)
ANSWER(cuDeviceGetAttribute, (int *value, int attribute, int device), *value = attribute == 75 ? 8 : attribute == 76 ? 6 : 1)
ANSWER(cuDeviceGetUuid, (char *uuid, int device), memset(uuid, 0x5a, 16))
ANSWER(cuCtxCreate_v2, (void **context, unsigned flags, int device), static char one; *context = &one)
ANSWER(cuCtxCreate_v3, (void **context, void *p, int n, unsigned flags, int device), static char one; *context = &one)
ANSWER(cuCtxDestroy, (void *context), )
ANSWER(cuMemGetInfo_v2, (size_t *free, size_t *total), *free = *total = 8ull << 30)
ANSWER(cuMemAlloc_v2, (unsigned long long *address, size_t size), int no = take(address, size); if (no) return no)
ANSWER(cuMemFree_v2, (unsigned long long address), used -= *(size_t *)address; free((void *)address))
ANSWER(cuMemHostAlloc, (void **address, size_t size, unsigned flags), *address = malloc(size))
ANSWER(cuMemcpyDtoH_v2, (void *to, unsigned long long from, size_t size), )
ANSWER(cuCtxSynchronize, (void), )
ANSWER(cuLaunchKernel, (void *function, unsigned x, unsigned y, unsigned z, unsigned a, unsigned b, unsigned c, unsigned shared,
                        void *stream, void **arguments, void **extra), )
