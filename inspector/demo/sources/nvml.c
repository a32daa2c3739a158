/* An NVML shim: libnvidia-ml.so.1, made-up figures of one GPU. Same settings as the driver shim (shim.h).
 *
 * -DHELPER   uses a function that another shim was meant to offer: libvgpu_set_skip_interception
 * -DOPENS_DRIVER   opens libcuda.so.1 and asks it for an export table, as NVIDIA's own does
 */
#define LABEL "libvgpu-nvml"
#include "shim.h"
#include <dlfcn.h>

typedef struct {
    char dummy;
} *device_handle;
enum { UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
static int users;
static struct {
    char dummy;
} gpu;

static int started(void) { return users > 0 ? 0 : UNINITIALIZED; }
static int has(const void *device) { return users <= 0 ? UNINITIALIZED : device == &gpu ? 0 : INVALID_ARGUMENT; }
static unsigned count(void) { return (unsigned)atoi(shim_setting("SHIM_COUNT", "1")); }
static unsigned long long memory(void) { return strtoull(shim_setting("SHIM_MEMORY", "85520809984"), NULL, 10); }

#ifdef HELPER
extern void libvgpu_set_skip_interception(int);
static void prepare(void) { libvgpu_set_skip_interception(1); }
#elif defined(OPENS_DRIVER)
static void prepare(void) {
    static const unsigned char unknown[16] = {0x11, 0xdf, 0x21, 0x11};
    const void *table;
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*ask)(const void **, const unsigned char *) = NULL;
    if (driver)
        *(void **)&ask = dlsym(driver, "cuGetExportTable");
    if (ask)
        ask(&table, unknown);
}
#else
static void prepare(void) {}
#endif

ANSWERS(nvmlInit_v2, (void), (prepare(), 0), users++)
ANSWERS(nvmlInitWithFlags, (unsigned flags), 0, users++)
ANSWERS(nvmlShutdown, (void), started(), users--)
ANSWERS(nvmlSystemGetDriverVersion, (char *text, unsigned length), started(), snprintf(text, length, "575.51.03"))
ANSWERS(nvmlSystemGetNVMLVersion, (char *text, unsigned length), started(), snprintf(text, length, "12.575.51.03"))
ANSWERS(nvmlSystemGetCudaDriverVersion_v2, (int *version), 0, *version = atoi(shim_setting("SHIM_VERSION", "12090")))
ANSWERS(nvmlDeviceGetCount_v2, (unsigned *devices), started(), *devices = count(); shim_says("count=%u", *devices))
ANSWERS(nvmlDeviceGetHandleByIndex_v2, (unsigned index, void **device),
        !users            ? UNINITIALIZED
        : index < count() ? 0
                          : INVALID_ARGUMENT,
        *device = &gpu)
ANSWERS(nvmlDeviceGetHandleByUUID, (const char *uuid, void **device),
        !users    ? UNINITIALIZED
        : count() ? 0
                  : NOT_FOUND,
        *device = &gpu)
ANSWERS(nvmlDeviceGetName, (void *device, char *text, unsigned length), has(device),
        snprintf(text, length, "%s", shim_setting("SHIM_NAME", "Demo H100 80GB")))
ANSWERS(nvmlDeviceGetUUID, (void *device, char *text, unsigned length), has(device),
        snprintf(text, length, "GPU-51515151-5151-5151-5151-515151515151"))
ANSWERS(nvmlDeviceGetMemoryInfo, (void *device, unsigned long long figures[3]), has(device), figures[0] = memory();
        figures[1] = memory() / 100 * 99; figures[2] = figures[0] - figures[1]; shim_says("total=%llu", figures[0]))
ANSWERS(nvmlDeviceGetTemperature, (void *device, int sensor, unsigned *degrees), has(device), *degrees = 41)
ANSWERS(nvmlDeviceGetUtilizationRates, (void *device, unsigned percent[2]), has(device), percent[0] = percent[1] = 0)
ANSWERS(nvmlDeviceGetPciInfo_v3, (void *device, void *info), NOT_SUPPORTED, )
API const char *nvmlErrorString(int result) { return result ? "Error" : "Success"; }
