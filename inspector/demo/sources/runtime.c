/* A CUDA runtime as small as possible that goes to the driver as NVIDIA's does: nothing at load; at the first call
 * dlopen("libcuda.so.1"), one dlsym, then cuGetProcAddress_v2, export table, version, cuInit, count.
 *
 * -DOLD_LAYOUT   fills cudaDeviceProp as releases before CUDA 10 did (no uuid, no luid)
 */
#include "shim.h"
#include <dlfcn.h>

typedef uint64_t handle;
enum { DRIVER_TOO_OLD = 35, RUNTIME = 12090, FIRST_PROPERTIES = 1008 };

static struct {
    int (*get_address)(const char *, void **, int, uint64_t, int *);
    int (*table)(const void **, const unsigned char *);
    int (*version)(int *), (*init)(unsigned), (*count)(int *), (*device)(int *, int), (*name)(char *, int, int);
    int (*total)(size_t *, int), (*attribute)(int *, int, int), (*retain)(handle *, int), (*set_current)(handle);
    int (*get_info)(size_t *, size_t *), (*alloc)(handle *, size_t), (*free)(handle),
        (*to_device)(handle, const void *, size_t);
    int (*to_host)(void *, handle, size_t),
        (*load)(handle *, const void *, void *, void *, unsigned, void *, void *, unsigned);
    int (*kernel)(handle *, handle, const char *), (*synchronize)(void);
    int (*launch)(handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, void **,
                  void **);
} driver;
static int failure = -1;
static handle kernel;

static void look_up(void) {
    struct {
        const char *name;
        void *place;
    } wanted[] = {
        {"cuGetExportTable", &driver.table},
        {"cuDriverGetVersion", &driver.version},
        {"cuInit", &driver.init},
        {"cuDeviceGetCount", &driver.count},
        {"cuDeviceGet", &driver.device},
        {"cuDeviceGetName", &driver.name},
        {"cuDeviceTotalMem", &driver.total},
        {"cuDeviceGetAttribute", &driver.attribute},
        {"cuDevicePrimaryCtxRetain", &driver.retain},
        {"cuCtxSetCurrent", &driver.set_current},
        {"cuMemGetInfo", &driver.get_info},
        {"cuMemAlloc", &driver.alloc},
        {"cuMemFree", &driver.free},
        {"cuMemcpyHtoD", &driver.to_device},
        {"cuMemcpyDtoH", &driver.to_host},
        {"cuLibraryLoadData", &driver.load},
        {"cuLibraryGetKernel", &driver.kernel},
        {"cuCtxSynchronize", &driver.synchronize},
        {"cuLaunchKernel", &driver.launch},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (driver.get_address(wanted[i].name, wanted[i].place, RUNTIME, 0, NULL))
            *(void **)wanted[i].place = NULL;
}

static int start(void *library) {
    static const unsigned char interface[16] = {0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a,
                                                0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9};
    const void *table = NULL;
    int version = 0, devices = 0, result;
    *(void **)&driver.get_address = dlsym(library, "cuGetProcAddress_v2");
    if (!driver.get_address)
        return DRIVER_TOO_OLD;
    look_up();
    if (!driver.version || !driver.init || driver.version(&version) || version < RUNTIME / 1000 * 1000)
        return DRIVER_TOO_OLD;
    if ((result = driver.init(0)) || (result = driver.table(&table, interface)) || (result = driver.count(&devices)))
        return result;
    return devices ? 0 : 100;
}

static int ready(void) {
    if (failure >= 0)
        return failure;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    failure = library ? start(library) : DRIVER_TOO_OLD;
    if (failure && library)
        dlclose(library);
    return failure;
}

static int with_context(void) {
    static handle context;
    int result = ready();
    if (!result && !context && !(result = driver.retain(&context, 0)))
        result = driver.set_current(context);
    return result;
}

/* `action` once the driver is ready, or once a context is there; else the first error. */
#define WHEN(prepared, action)                                                                                         \
    ({                                                                                                                 \
        int result = (prepared);                                                                                       \
        result ? result : (action);                                                                                    \
    })

API int cudaRuntimeGetVersion(int *version) { return *version = RUNTIME, 0; }
API int cudaDriverGetVersion(int *version) { return *version = 0, WHEN(ready(), driver.version(version)); }
API int cudaGetDeviceCount(int *devices) { return *devices = 0, WHEN(ready(), driver.count(devices)); }
API int cudaSetDevice(int device) { return WHEN(ready(), device ? 101 : 0); }

API int cudaGetDeviceProperties_v2(void *properties, int device) {
    int result = ready();
    char *at = properties;
    if (result)
        return result;
    memset(properties, 0, FIRST_PROPERTIES);
#ifdef OLD_LAYOUT
    enum { MEMORY = 0x100, MAJOR = 0x148, MINOR = 0x14c };
#else
    enum { MEMORY = 0x120, MAJOR = 0x168, MINOR = 0x16c };
#endif
    if ((result = driver.name(at, 256, device)) || (result = driver.total((size_t *)(at + MEMORY), device)))
        return result;
    return driver.attribute((int *)(at + MAJOR), 75, device) | driver.attribute((int *)(at + MINOR), 76, device);
}

API int cudaMemGetInfo(size_t *available, size_t *total) {
    return WHEN(with_context(), driver.get_info(available, total));
}
API int cudaMalloc(handle *pointer, size_t bytes) { return WHEN(with_context(), driver.alloc(pointer, bytes)); }
API int cudaFree(handle pointer) { return WHEN(with_context(), driver.free(pointer)); }
API int cudaMemcpy(void *to, const void *from, size_t bytes, int way) {
    return WHEN(with_context(),
                way == 1 ? driver.to_device((handle)to, from, bytes) : driver.to_host(to, (handle)from, bytes));
}
API int cudaDeviceSynchronize(void) { return WHEN(with_context(), driver.synchronize()); }

/* Code is loaded at the first launch, as the runtime does since lazy loading became the default. */
static const void *fat_binary;
API int cudaLaunchKernel(const void *function, const unsigned grid[3], const unsigned block[3], void **arguments) {
    handle library;
    int result = with_context();
    if (!result && !kernel && !(result = driver.load(&library, fat_binary, NULL, NULL, 0, NULL, NULL, 0)))
        result = driver.kernel(&kernel, library, function);
    return result
               ? result
               : driver.launch(kernel, grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, 0, arguments, NULL);
}
API void **__cudaRegisterFatBinary(const void *binary) { return fat_binary = binary, (void **)&fat_binary; }
API void __cudaRegisterFatBinaryEnd(void **registered) { (void)registered; }
API void __cudaUnregisterFatBinary(void **registered) { (void)registered; }
API int cudaGetLastError(void) { return failure > 0 ? failure : 0; }
API const char *cudaGetErrorString(int error) {
    switch (error) {
    case 0: return "no error";
    case 2: return "out of memory";
    case 3: return "initialization error";
    case 35: return "CUDA driver version is insufficient for CUDA runtime version";
    case 100: return "no CUDA-capable device is detected";
    case 200: return "device kernel image is invalid";
    case 209: return "no kernel image is available for execution on the device";
    case 500: return "named symbol not found";
    case 700: return "an illegal memory access was encountered";
    case 801: return "operation not supported";
    case 999: return "unknown error";
    default: return "unrecognized error code";
    }
}
