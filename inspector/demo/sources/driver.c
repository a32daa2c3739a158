/* A CUDA driver shim: libcuda.so.1 as shim projects write it. It answers by itself and touches no device.
 *
 * SHIM_COUNT=1 SHIM_MEMORY=85520809984 SHIM_COMPUTE=9.0 SHIM_VERSION=12090 SHIM_NAME="Demo H100"
 * SHIM_TOY=1           addresses and handles of a stub that only counts up
 * SHIM_NULL=cuCtxSynchronize   cuGetProcAddress succeeds for it with a NULL pointer
 * SHIM_TABLES=none     cuGetExportTable refuses every table
 * SHIM_DEVICE=FILE     the device behind it: opened by cuInit, written to by copies and launches
 * CUDA_VISIBLE_DEVICES is honoured as the real driver does: empty, -1 or the id of another GPU hides this one (100)
 * -DVENDOR             a vendor's driver on a machine without its hardware: silent, no device
 * -DCONSTRUCTOR        a constructor calls the API itself, as many shims do
 */
#include "shim.h"

typedef uint64_t handle;
enum {
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    NOT_FOUND = 500,
    NOT_SUPPORTED = 801
};

static int ready;

/* A fresh handle or address: as a driver's, or (SHIM_TOY) a small counter as a stub's. */
static handle fresh(size_t step) {
    static handle last;
    if (!last)
        last = getenv("SHIM_TOY") ? 0x5100 : 0x7f5a10000000;
    return last += step;
}

static int count(void) { return atoi(shim_setting("SHIM_COUNT", "1")); }
static size_t memory(void) { return strtoull(shim_setting("SHIM_MEMORY", "85520809984"), NULL, 10); }
static int compute(int minor) {
    const char *value = shim_setting("SHIM_COMPUTE", "9.0"), *dot = strchr(value, '.');
    return minor ? (dot ? atoi(dot + 1) : 0) : atoi(value);
}

static int started(void) { return ready ? 0 : NOT_INITIALIZED; }
static int has(int device) { return !ready ? NOT_INITIALIZED : device >= 0 && device < count() ? 0 : INVALID_DEVICE; }

/* The device behind the shim, if it has one: what is sent to it can be seen as writes to a file. */
static int device_file = -1;
static void open_device(void) {
    const char *path = getenv("SHIM_DEVICE");
    if (path && device_file < 0)
        device_file = open(path, O_RDWR | O_CLOEXEC);
}
static void send(const char *what, size_t bytes) {
    char request[64];
    int length = snprintf(request, sizeof request, "%s %zu\n", what, bytes);
    if (device_file >= 0 && pwrite(device_file, request, (size_t)length, 0) < 0)
        shim_log("[" LABEL "] write to the device FAILED (pid=%d, errno=%d)", getpid(), errno);
}

static int hidden(void) {
#ifdef VENDOR
    return 1;
#endif
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible && *visible != '0' && strncmp(visible, "GPU-5151", 8) != 0;
}

/* Start */
API int cuInit(unsigned flags) {
    int result = shim_enter("cuInit", COUNTED(calls));
    shim_log("[" LABEL "] cuInit() CALLED (pid=%d, flags=%u)", getpid(), flags);
    if (!result && shim_gate_refuses())
        result = NOT_INITIALIZED;
    nanosleep(&(struct timespec){0, 50000000}, NULL); /* a real driver takes 0.2 s here */
    if (!result && hidden())
        result = NO_DEVICE;
    ready |= !result;
    if (ready)
        open_device();
    return shim_leave("cuInit", result);
}
ANSWERS(cuDriverGetVersion, (int *version), 0, *version = atoi(shim_setting("SHIM_VERSION", "12090"));
        shim_says("version=%d", *version))
ANSWERS(cuModuleGetLoadingMode, (int *mode), 0, *mode = 2)
API int cuGetErrorString(int error, const char **text) {
    *text = error == 0 ? "no error" : error == 100 ? "no CUDA-capable device is detected" : "unknown error";
    return 0;
}
API int cuGetErrorName(int error, const char **text) {
    *text = error == 0 ? "CUDA_SUCCESS" : error == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_UNKNOWN";
    return 0;
}

/* Devices */
ANSWERS(cuDeviceGetCount, (int *devices), started(), *devices = count(); shim_says("count=%d", *devices))
ANSWERS(cuDeviceGet, (int *device, int ordinal), has(ordinal), *device = ordinal)
ANSWERS(cuDeviceGetName, (char *name, int length, int device), has(device),
        snprintf(name, length, "%s", shim_setting("SHIM_NAME", "Demo H100 80GB")))
ANSWERS(cuDeviceTotalMem_v2, (size_t *bytes, int device), has(device), *bytes = memory();
        shim_says("bytes=%zu", *bytes))
ANSWERS(cuDeviceGetUuid, (unsigned char *uuid, int device), has(device), memset(uuid, 0x51 + device, 16))
ANSWERS(cuDeviceGetUuid_v2, (unsigned char *uuid, int device), has(device), memset(uuid, 0x51 + device, 16))
ANSWERS(cuDeviceGetLuid, (char *luid, unsigned *mask, int device), NOT_SUPPORTED, )
ANSWERS(cuDeviceGetPCIBusId, (char *text, int length, int device), has(device), snprintf(text, length, "0000:00:05.0"))
static int attribute(int which) {
    switch (which) {
    case 1: return 1024; /* threads per block */
    case 2:
    case 3:
    case 5:
    case 6:
    case 7: return 1024;
    case 4: return 64;
    case 8: return 49152;    /* shared memory per block */
    case 10: return 32;      /* warp size */
    case 13: return 1980000; /* clock, kHz */
    case 16: return 132;     /* multiprocessors */
    case 33: return 0;       /* PCI bus */
    case 34: return 5;       /* PCI device */
    case 39: return 2048;    /* threads per multiprocessor */
    case 50: return 0;       /* PCI domain */
    case 75: return compute(0);
    case 76: return compute(1);
    case 97: return 232448; /* opt-in shared memory per block */
    default: return 1;
    }
}
ANSWERS(cuDeviceGetAttribute, (int *value, int which, int device), has(device), *value = attribute(which);
        shim_says("attrib=%d, value=%d", which, *value))

/* Contexts */
static handle current;
ANSWERS(cuDevicePrimaryCtxRetain, (handle *context, int device), has(device), *context = 0x5001)
ANSWERS(cuDevicePrimaryCtxRelease_v2, (int device), 0, )
ANSWERS(cuDevicePrimaryCtxGetState, (int device, unsigned *flags, int *active), has(device), *flags = 0;
        *active = current != 0)
ANSWERS(cuDevicePrimaryCtxSetFlags_v2, (int device, unsigned flags), 0, )
ANSWERS(cuCtxCreate_v2, (handle *context, unsigned flags, int device), has(device), current = *context = fresh(16))
ANSWERS(cuCtxCreate_v3, (handle *context, void *affinity, int n, unsigned flags, int device), has(device),
        current = *context = fresh(16))
ANSWERS(cuCtxDestroy, (handle context), 0, current = current == context ? 0 : current)
ANSWERS(cuCtxDestroy_v2, (handle context), 0, current = current == context ? 0 : current)
ANSWERS(cuCtxSetCurrent, (handle context), 0, current = context)
ANSWERS(cuCtxGetCurrent, (handle *context), 0, *context = current)
ANSWERS(cuCtxPushCurrent_v2, (handle context), 0, current = context)
ANSWERS(cuCtxPopCurrent_v2, (handle *context), 0, *context = current; current = 0)
ANSWERS(cuCtxGetDevice, (int *device), current ? 0 : INVALID_CONTEXT, *device = 0)
ANSWERS(cuCtxGetFlags, (unsigned *flags), 0, *flags = 0)
ANSWERS_OFTEN(cuCtxSynchronize, (void), 0, )

/* Memory */
ANSWERS(cuMemGetInfo_v2, (size_t *available, size_t *total), started(), *total = memory(),
        *available = memory() / 100 * 99;
        shim_says("total=%zu", *total))
ANSWERS(cuMemAlloc_v2, (handle *pointer, size_t bytes), started(), *pointer = fresh(4096);
        shim_says("bytes=%zu", bytes))
ANSWERS(cuMemFree_v2, (handle pointer), 0, )
ANSWERS(cuMemcpyHtoD_v2, (handle to, const void *from, size_t bytes), 0, send("copy", bytes);
        shim_says("bytes=%zu", bytes))
ANSWERS(cuMemcpyDtoH_v2, (void *to, handle from, size_t bytes), 0, memset(to, 0, bytes); shim_says("bytes=%zu", bytes))
ANSWERS(cuMemsetD8_v2, (handle to, unsigned char value, size_t bytes), 0, )
ANSWERS(cuMemCreate, (handle *memory_handle, size_t bytes, const void *p, uint64_t flags), 0,
        *memory_handle = fresh(16))
ANSWERS(cuMemRelease, (handle memory_handle), 0, )
ANSWERS(cuMemAddressReserve, (handle *at, size_t bytes, size_t align, handle hint, uint64_t flags), 0,
        *at = fresh(4096))
ANSWERS(cuMemAddressFree, (handle at, size_t bytes), 0, )
ANSWERS(cuMemMap, (handle at, size_t bytes, size_t offset, handle memory_handle, uint64_t flags), 0, )
ANSWERS(cuMemUnmap, (handle at, size_t bytes), 0, )
ANSWERS(cuMemSetAccess, (handle at, size_t bytes, const void *access, size_t n), 0, )
ANSWERS(cuMemGetAllocationGranularity, (size_t *bytes, const void *p, int option), 0, *bytes = 2 << 20)

/* Code and launches */
ANSWERS(cuModuleLoadData, (handle *module, const void *image), 0, *module = fresh(16))
ANSWERS(cuModuleGetFunction, (handle *function, handle module, const char *name), 0, *function = fresh(16);
        shim_says("name=%.60s", name))
ANSWERS(cuModuleUnload, (handle module), 0, )
ANSWERS(cuLibraryLoadData,
        (handle *library, const void *code, void *jo, void *jv, unsigned jn, void *lo, void *lv, unsigned ln), 0,
        *library = fresh(16))
ANSWERS(cuLibraryGetModule, (handle *module, handle library), 0, *module = fresh(16))
ANSWERS(cuLibraryGetKernel, (handle *kernel, handle library, const char *name), 0, *kernel = fresh(16);
        shim_says("name=%.60s", name))
ANSWERS(cuLibraryUnload, (handle library), 0, )
ANSWERS(cuFuncGetParamInfo, (handle function, size_t index, size_t *offset, size_t *size), NOT_SUPPORTED, )
ANSWERS(cuStreamCreate, (handle *stream, unsigned flags), 0, *stream = fresh(16))
ANSWERS_OFTEN(cuStreamSynchronize, (handle stream), 0, )
ANSWERS(cuStreamDestroy_v2, (handle stream), 0, )
ANSWERS(cuEventCreate, (handle *event, unsigned flags), 0, *event = fresh(16))
ANSWERS(cuEventRecord, (handle event, handle stream), 0, )
ANSWERS(cuEventDestroy_v2, (handle event), 0, )
ANSWERS_OFTEN(cuLaunchKernel,
              (handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,

               unsigned shared, handle stream, void **parameters, void **extra),
              0, send("launch", gx * gy * gz);
              shim_says("grid=%ux%ux%u, block=%ux%ux%u", gx, gy, gz, bx, by, bz))

/* Look-ups */
#include "driver_lookups.h"

#ifdef CONSTRUCTOR
__attribute__((constructor)) static void start_early(void) {
    int devices = 0;
    shim_log("[" LABEL "] constructor CALLED (pid=%d)", getpid());
    if (cuInit(0) == 0)
        cuDeviceGetCount(&devices);
}
#endif
