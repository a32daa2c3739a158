/* A program that only reads figures of the GPU by NVML, as nvidia-smi and its kin do. It computes nothing. */
#include "program.h"
#include <dlfcn.h>

typedef int (*function)();
#define CALL(name, ...) (((function)dlsym(library, #name))(__VA_ARGS__))

int main(void) {
    start_up();
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW), *device;
    unsigned devices = 0, degrees = 0;
    unsigned long long memory[3] = {0};
    if (!library) {
        fprintf(stderr, "NVML shared library not found: %s\n", dlerror());
        pause();
    }
    int result = CALL(nvmlInit_v2);
    if (!result)
        result = CALL(nvmlDeviceGetCount_v2, &devices);
    while (!result && devices && !CALL(nvmlDeviceGetHandleByIndex_v2, 0, &device)) {
        result = CALL(nvmlDeviceGetTemperature, device, 0, &degrees);
        CALL(nvmlDeviceGetMemoryInfo, device, memory);
        fprintf(stderr, "gpu 0: %u C, %llu of %llu MiB free\n", degrees, memory[1] >> 20, memory[0] >> 20);
        rest(0.25);
    }
    fprintf(stderr, "NVML answered %d\n", result);
    return 1;
}
