/* Programs to which memory of the device is refused in the middle of their work. memory MODE */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long Address;
#define LARGE (64ul << 20)

static void *driver;
static int (*get)(Address *, size_t), (*give_back)(Address), (*copy)(void *, Address, size_t), (*wait_for)(void);
static int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);

static void computes_on_the_processor(int seconds) {
    static volatile double sum;
    for (clock_t end = clock() + seconds * CLOCKS_PER_SEC; clock() < end;)
        for (int i = 0; i < 1000000; i++) sum += i;
}

static void computes_on_the_device(int launches) {
    for (int i = 0; i < launches; i++) { launch(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0); usleep(20000); }
    wait_for();
}

static int begin(Address *memory) {
    int devices = 0;
    void *context;
    if (!(driver = dlopen("libcuda.so.1", RTLD_NOW))) return 1;
    int (*init)(unsigned) = dlsym(driver, "cuInit"), (*count)(int *) = dlsym(driver, "cuDeviceGetCount");
    int (*create)(void **, unsigned, int) = dlsym(driver, "cuCtxCreate_v2");
    get = dlsym(driver, "cuMemAlloc_v2"), give_back = dlsym(driver, "cuMemFree_v2"), copy = dlsym(driver, "cuMemcpyDtoH_v2");
    launch = dlsym(driver, "cuLaunchKernel"), wait_for = dlsym(driver, "cuCtxSynchronize");
    return init(0) || count(&devices) || create(&context, 0, 0) || get(memory, 1 << 20);
}

int main(int count, char **words) {
    const char *mode = count > 1 ? words[1] : "";
    Address small, large = 0;
    char result[64];
    if (!strcmp(mode, "worker") && fork()) {   /* goes on by itself when its worker has died over it */
        wait(0);
        computes_on_the_processor(3);
        return 0;
    }
    if (begin(&small)) return 1;
    computes_on_the_device(10);
    int refused = get(&large, LARGE);
    if (!strcmp(mode, "worker")) abort();
    if (!strcmp(mode, "ends")) {   /* by its own error */
        fprintf(stderr, "RuntimeError: out of memory (%d)\n", refused);
        return 1;
    }
    if (!strcmp(mode, "retries")) {   /* frees, asks for less, and goes on */
        give_back(small);
        if (get(&large, LARGE / 64)) return 1;
        computes_on_the_device(50);
        computes_on_the_processor(3);
        return 0;
    }
    if (!strcmp(mode, "goes-on")) {   /* with what it has */
        computes_on_the_device(50);
        computes_on_the_processor(3);
        return 0;
    }
    copy(result, small, sizeof result);   /* what was computed so far, to go on from there */
    if (!strcmp(mode, "pinned")) {
        int (*pin)(void **, size_t, unsigned) = dlsym(driver, "cuMemHostAlloc");
        void *here;
        pin(&here, LARGE, 0);
    }
    if (!strcmp(mode, "says")) fprintf(stderr, "not enough memory (%d), falling back to the CPU\n", refused);
    computes_on_the_processor(getenv("FIELD_SECONDS") ? atoi(getenv("FIELD_SECONDS")) : 3);
    return 0;
}
