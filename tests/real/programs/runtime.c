/* Asks NVIDIA's runtime (linked as libcudart.so.12) for devices, properties and memory; prints what it answers.
 * DEMO_HOLD=FILE: waits until that file is there. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern int cudaGetDeviceCount(int *), cudaGetDeviceProperties_v2(void *, int), cudaMalloc(void **, size_t);
extern int cudaRuntimeGetVersion(int *);

int main(void) {
    static char properties[4096];
    int devices = -1, version = 0;
    void *memory = NULL;
    while (getenv("DEMO_HOLD") && access(getenv("DEMO_HOLD"), F_OK))
        usleep(20000);
    printf("cudaRuntimeGetVersion %d", cudaRuntimeGetVersion(&version));
    printf(" version=%d\n", version);
    printf("cudaGetDeviceCount %d", cudaGetDeviceCount(&devices));
    printf(" count=%d\n", devices);
    printf("cudaGetDeviceProperties_v2 %d\n", cudaGetDeviceProperties_v2(properties, 0));
    printf("cudaMalloc %d\n", cudaMalloc(&memory, 4096));
    return 0;
}
