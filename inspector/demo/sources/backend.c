/* A GPU backend: libggml-cuda.so. Needs libcudart.so.12, libcublas.so.12 and libcuda.so.1 at load, with the 11 driver
 * names that ggml uses directly; asks the runtime for devices when it is initialised.
 *
 * -DARCHITECTURE=900   the only compute capability (x 100) for which it has code
 */
#include "backend.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARCHITECTURE
#define ARCHITECTURE 900
#endif
#define TEXT_OF(value) #value
#define TEXT(value) TEXT_OF(value)

typedef uint64_t handle;
extern int cudaGetDeviceCount(int *), cudaGetDeviceProperties_v2(void *, int), cudaMemGetInfo(size_t *, size_t *);
extern int cudaDriverGetVersion(int *), cudaMalloc(handle *, size_t), cudaMemcpy(void *, const void *, size_t, int);
extern int cudaLaunchKernel(const void *, const unsigned[3], const unsigned[3], void **), cudaDeviceSynchronize(void);
extern const char *cudaGetErrorString(int);
extern void **__cudaRegisterFatBinary(const void *);
extern void __cudaRegisterFatBinaryEnd(void **);
extern int cublasCreate_v2(void **);
extern const char *cublasGetStatusString(int);
extern int cuDeviceGet(int *, int), cuDeviceGetAttribute(int *, int, int), cuGetErrorString(int, const char **);
extern int cuMemAddressFree(handle, size_t), cuMemAddressReserve(handle *, size_t, size_t, handle, uint64_t);
extern int cuMemCreate(handle *, size_t, const void *, uint64_t), cuMemMap(handle, size_t, size_t, handle, uint64_t);
extern int cuMemGetAllocationGranularity(size_t *, const void *, int), cuMemRelease(handle);
extern int cuMemSetAccess(handle, size_t, const void *, size_t), cuMemUnmap(handle, size_t);

static const char fat_binary[] = "P\xed\x55\xba demo code for sm_" TEXT(ARCHITECTURE);
static struct backend self;

__attribute__((constructor)) static void enter_code(void) {
    __cudaRegisterFatBinaryEnd(__cudaRegisterFatBinary(fat_binary));
}

/* The memory pool that ggml maps by the driver's own functions; its size tells whether the device can do it. */
static int pool(size_t *granularity) {
    handle memory, place;
    int able = 0, device;
    const char *why;
    if (cuDeviceGet(&device, 0) || cuDeviceGetAttribute(&able, 102, device) || !able)
        return 0;
    int result = cuMemGetAllocationGranularity(granularity, NULL, 0);
    if (result || cuMemCreate(&memory, *granularity, NULL, 0)) {
        cuGetErrorString(result, &why);
        fprintf(stderr, "ggml_cuda_init: no memory pool: %s\n", why);
        return 0;
    }
    if (!cuMemAddressReserve(&place, *granularity, 0, 0, 0) && !cuMemMap(place, *granularity, 0, memory, 0)) {
        cuMemSetAccess(place, *granularity, NULL, 0);
        cuMemUnmap(place, *granularity);
        cuMemAddressFree(place, *granularity);
    }
    return !cuMemRelease(memory);
}

static int failed(int result, const char *function) {
    fprintf(stderr, "CUDA error: %s\n  current device: 0, in function %s\n", cudaGetErrorString(result), function);
    return result;
}

static int compute(int rounds) {
    static handle weights;
    static char layer[4096];
    static void *blas;
    const unsigned grid[3] = {132, 1, 1}, block[3] = {256, 1, 1};
    int result;
    if (!weights) {
        if ((result = cudaMalloc(&weights, sizeof layer)) ||
            (result = cudaMemcpy((void *)weights, layer, sizeof layer, 1)))
            return failed(result, "ggml_backend_cuda_buffer_type_alloc_buffer");
        if ((result = cublasCreate_v2(&blas)))
            return fprintf(stderr, "CUDA error: %s\n", cublasGetStatusString(result)), result;
    }
    for (int i = 0; i < rounds; i++)
        if ((result = cudaLaunchKernel("mul_mat", grid, block, NULL)))
            return failed(result, "ggml_cuda_mul_mat");
    return (result = cudaDeviceSynchronize()) ? failed(result, "ggml_backend_cuda_synchronize") : 0;
}

static void check_architecture(void) {
    if (!getenv("GGML_CUDA_INIT") || self.major * 100 + self.minor * 10 == ARCHITECTURE)
        return;
    fprintf(stderr,
            "GGML_ASSERT(ggml_cuda_has_arch(info.devices[id].cc)) failed: %d.%d, ARCHS = " TEXT(ARCHITECTURE) "\n",
            self.major, self.minor);
    abort();
}

__attribute__((visibility("default"))) struct backend *ggml_backend_init(void) {
    static char properties[4096];
    size_t granularity;
    int result = cudaGetDeviceCount(&self.devices);
    self.compute = compute;
    if (result) {
        fprintf(stderr, "ggml_cuda_init: failed to initialize CUDA: %s\n", cudaGetErrorString(result));
        self.devices = 0;
        return &self;
    }
    if ((result = cudaGetDeviceProperties_v2(properties, 0)) || (result = cudaDriverGetVersion(&self.driver))) {
        failed(result, "ggml_cuda_init");
        self.devices = 0;
        return &self;
    }
    snprintf(self.name, sizeof self.name, "%.255s", properties);
    memcpy(&self.major, properties + 0x168, sizeof self.major);
    memcpy(&self.minor, properties + 0x16c, sizeof self.minor);
    check_architecture();
    fprintf(stderr, "ggml_cuda_init: found %d CUDA devices:\n  Device 0: %s, compute capability %d.%d, VMM: %s\n",
            self.devices, self.name, self.major, self.minor, pool(&granularity) ? "yes" : "no");
    if ((result = cudaMemGetInfo(&self.available, &self.total)))
        failed(result, "ggml_backend_cuda_get_memory"), self.total = self.available = 0;
    return &self;
}
