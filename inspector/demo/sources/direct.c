/* A program that goes to the CUDA driver itself, without a runtime: by dlopen and dlsym, or linked to it (-DLINKED).
 *
 * --open FILE   the driver's file instead of libcuda.so.1
 * --then FILE   ask this file, not the first, for the device count and all that follows
 * --hold        look everything up, call nothing
 * --once        end in order after the work instead of computing on
 */
#include "program.h"
#include <dlfcn.h>
#include <stdint.h>

typedef uint64_t handle;
typedef int (*function)();

#ifdef LINKED
extern int cuInit(), cuDriverGetVersion(), cuDeviceGetCount(), cuDeviceGet(), cuDeviceGetName(), cuDeviceTotalMem_v2();
extern int cuDeviceGetAttribute(), cuCtxGetDevice(), cuDevicePrimaryCtxRetain(), cuDevicePrimaryCtxRelease_v2();
extern int cuCtxSetCurrent(), cuMemGetInfo_v2(), cuMemAlloc_v2(), cuMemcpyHtoD_v2(), cuLibraryLoadData(),
    cuLibraryUnload();
extern int cuLibraryGetKernel(), cuLaunchKernel(), cuCtxSynchronize();
#define CALL(name, ...) (last = #name, name(__VA_ARGS__))
#else
static void *library;
#define CALL(name, ...)                                                                                                \
    ({                                                                                                                 \
        static function found;                                                                                         \
        last = #name;                                                                                                  \
        if (!found)                                                                                                    \
            found = (function)dlsym(library, #name);                                                                   \
        found ? found(__VA_ARGS__) : 500;                                                                              \
    })
#endif

static const char *last = "dlopen", *second;
static handle code;

static int open_driver(const char *file) {
#ifdef LINKED
    return file != NULL;
#else
    library = dlopen(file, RTLD_NOW);
    if (!library)
        fprintf(stderr, "cannot use the GPU driver: %s\n", dlerror());
    return library != NULL;
#endif
}

static int look(int *version, int *devices) {
    int result = CALL(cuInit, 0);
    if (!result)
        result = CALL(cuDriverGetVersion, version);
    if (!result && second) {
        result = open_driver(second) ? 0 : 500;
        start_up();
    }
    return result ? result : CALL(cuDeviceGetCount, devices);
}

static int describe(void) {
    int device = 0, major = 0, minor = 0, result;
    size_t total = 0;
    char name[128] = "";
    if ((result = CALL(cuDeviceGet, &device, 0)) || (result = CALL(cuDeviceGetName, name, (int)sizeof name, device)) ||
        (result = CALL(cuDeviceGetAttribute, &major, 75, device)) ||
        (result = CALL(cuDeviceGetAttribute, &minor, 76, device)) ||
        (result = CALL(cuDeviceTotalMem_v2, &total, device)))
        return result;
    fprintf(stderr, "  Device 0: %s, compute capability %d.%d, VMM: no\n", name, major, minor);
    fprintf(stderr, "using device CUDA0 (%s) (0000:00:05.0) - %zu MiB free\n", name, total >> 20);
    return 0;
}

static int prepare(handle *kernel) {
    static char weights[4096];
    handle context, memory;
    size_t available, total;
    int device, result;
    CALL(cuCtxGetDevice, &device); /* is there a context already? 201 says no: that is no fault */
    if ((result = CALL(cuDevicePrimaryCtxRetain, &context, 0)) || (result = CALL(cuCtxSetCurrent, context)) ||
        (result = CALL(cuMemGetInfo_v2, &available, &total)) ||
        (result = CALL(cuMemAlloc_v2, &memory, sizeof weights)) ||
        (result = CALL(cuMemcpyHtoD_v2, memory, weights, sizeof weights)) ||
        (result = CALL(cuLibraryLoadData, &code, weights, NULL, NULL, 0, NULL, NULL, 0)))
        return result;
    return CALL(cuLibraryGetKernel, kernel, code, "mul_mat");
}

static int launch(handle kernel, int rounds) {
    int result = 0;
    for (int i = 0; i < rounds && !result; i++)
        result = CALL(cuLaunchKernel, kernel, 132, 1, 1, 256, 1, 1, 0, (handle)0, NULL, NULL);
    return result ? result : CALL(cuCtxSynchronize);
}

static int work(handle *kernel) {
    int version = 0, devices = 0, result = look(&version, &devices);
    if (!result && !devices)
        result = 100;
    if (!result && !(result = describe()) && !(result = prepare(kernel)))
        result = launch(*kernel, 4);
    return result;
}

int main(int count, char **arguments) {
    const char *file = "libcuda.so.1";
    int hold = 0, once = 0;
    handle kernel = 0;
    for (int i = 1; i < count; i++) {
        hold |= !strcmp(arguments[i], "--hold");
        once |= !strcmp(arguments[i], "--once");
        if (!strcmp(arguments[i], "--open") && i + 1 < count)
            file = arguments[++i];
        else if (!strcmp(arguments[i], "--then") && i + 1 < count)
            second = arguments[++i];
    }
    start_up();
    int result = open_driver(file) ? 0 : -1;
    start_up();
    result = result ? result : hold ? -2 : work(&kernel);
    if (result > 0)
        fprintf(stderr, "%s failed with CUDA error %d\n", last, result);
    fprintf(stderr, "load_tensors: offloaded %d/17 layers to GPU\n", result ? 0 : 17);
    while (!once) {
        rest(0.05);
        if (!result)
            result = launch(kernel, 4);
    }
    if (!result) {
        CALL(cuLibraryUnload, code);
        CALL(cuDevicePrimaryCtxRelease_v2, 0);
    }
    return result != 0;
}
