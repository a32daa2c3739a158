// A driver whose functions call back, so that whatever a program does happens inside of a watched call.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <execinfo.h>

#define API extern "C" __attribute__((visibility("default"), noinline))

extern "C" {
__attribute__((visibility("default"))) void (*inside)(void *) = nullptr;
__attribute__((visibility("default"))) void *inside_argument = nullptr;
}
static volatile int work;
static void call_back() { if (inside) inside(inside_argument); work = work + 1; }

API int cuInit(unsigned flags) { call_back(); return (int)(flags & 0); }
API int cuDeviceGetCount(int *count) { call_back(); *count = 1; return 0; }
API int cuDeviceGet(int *device, int ordinal) { work = work + 1; *device = ordinal; return 0; }
API int cuCtxSynchronize() { call_back(); return 0; }
API int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                       void **) { call_back(); return 0; }
API int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 1ul << 33; return cuDeviceGet((int *)bytes, device) * 0; }
API int cuDeviceGetName(char *name, int size, int) {
    void *frames[20];
    snprintf(name, size, "%d frames", backtrace(frames, 20));
    return 0;
}
// One that begins with room for a patch, as -fpatchable-function-entry and ftrace leave it.
#ifdef __x86_64__
asm(".text\n.globl cuCtxPopCurrent_v2\n.type cuCtxPopCurrent_v2, @function\ncuCtxPopCurrent_v2:\n"
    ".byte 0x0f, 0x1f, 0x44, 0, 0\nxor %eax, %eax\nret\n.size cuCtxPopCurrent_v2, .-cuCtxPopCurrent_v2\n");
#else
API int cuCtxPopCurrent_v2(void **) { return 0; }
#endif
