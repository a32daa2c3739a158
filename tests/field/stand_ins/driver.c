/* A stand-in for libcuda.so.1 with one device that computes nothing. It notes every call. */
#include "calls.h"
#include <string.h>

#define ANSWER(name, arguments, body) int name arguments { note(#name); body; return 0; }

ANSWER(cuInit, (unsigned flags), )
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
ANSWER(cuMemAlloc_v2, (unsigned long long *address, size_t size), *address = (unsigned long long)malloc(size))
