/* Programs that want a GPU, in the shapes in which they come. program MODE [FILE] */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf back;
static void caught(int number) { siglongjmp(back, 1); }

static int compute(void) {
    static volatile double sum;
    fputs("computing on the CPU\n", stderr);
    for (time_t end = time(0) + 4; time(0) < end; usleep(20000))
        for (int i = 0; i < 500000; i++) sum += i;
    return 0;
}

static int work(void *driver) {
    if (!driver) { fprintf(stderr, "no GPU: %s\n", dlerror()); return compute(); }
    int devices = 0, result, (*begin)(unsigned) = dlsym(driver, "cuInit"), (*count)(int *) = dlsym(driver, "cuDeviceGetCount");
    if ((result = begin(0)) || (result = count(&devices))) { fprintf(stderr, "the driver answered %d\n", result); return compute(); }
    void *context;
    unsigned long long memory;
    int (*create)(void **, unsigned, int) = dlsym(driver, "cuCtxCreate_v2"), (*get)(unsigned long long *, size_t) = dlsym(driver, "cuMemAlloc_v2");
    int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **) = dlsym(driver, "cuLaunchKernel");
    create(&context, 0, 0);
    get(&memory, 1 << 20);
    fputs("computing on the GPU\n", stderr);
    for (int i = 0; i < 150; i++) { launch(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0); usleep(20000); }
    return 0;
}

#ifdef LINKED
int cuInit(unsigned), cuDeviceGetCount(int *), cuNotHere(int);
#endif

int main(int count, char **words) {
    const char *mode = count > 1 ? words[1] : "", *file = count > 2 ? words[2] : "libcuda.so.1";
#ifdef LINKED   /* bound lazily to a function that no driver has, and that is never called */
    if (count > 9) cuNotHere(0);
    int devices, result = cuInit(0);
    if (result || (result = cuDeviceGetCount(&devices))) { fprintf(stderr, "the driver answered %d\n", result); return compute() + result; }
#endif
    if (!strcmp(mode, "handled")) {   /* a managed runtime provokes a fault at its start and goes on */
        signal(SIGSEGV, caught);
        if (!sigsetjmp(back, 1)) *(volatile int *)8 = 1;
        usleep(300000);
        return work(dlopen(file, RTLD_NOW)) + 1;
    }
    if (!strcmp(mode, "path")) {   /* by its name it is not found, by its path it is */
        void *driver = dlopen("libcuda.so.1", RTLD_NOW);
        return work(driver ? driver : dlopen(file, RTLD_NOW));
    }
    if (!strcmp(mode, "tools")) {   /* children that find no tool to execute */
        for (int i = 0; i < 3; i++) {
            pid_t child = fork();
            if (!child) { execlp("no-such-monitor", "no-such-monitor", NULL); _exit(127); }
            waitpid(child, 0, 0);
        }
    }
    if (!strcmp(mode, "workers")) {   /* a parent that asks first, then workers that ask again */
        usleep(1000000);
        int (*begin)(unsigned) = dlsym(dlopen(file, RTLD_NOW), "cuInit");
        fprintf(stderr, "the parent: %d\n", begin(0));
        for (int i = 0; i < 2; i++)
            if (!fork()) { fprintf(stderr, "a worker: %d\n", begin(0)); compute(); _exit(0); }
        while (wait(0) > 0) {}
        return 0;
    }
    if (!strcmp(mode, "nvml")) {   /* a monitor that is told of no device */
        int devices = 7;
        void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
        int (*begin)(void) = dlsym(library, "nvmlInit_v2"), (*ask)(int *) = dlsym(library, "nvmlDeviceGetCount_v2");
        begin();
        ask(&devices);
        printf("running without a GPU, %d\n", devices);
        return compute();
    }
    if (!strcmp(mode, "loads")) {   /* says what became of it, and goes on */
        void *library = dlopen(file, RTLD_NOW);
        puts(library ? "backend loaded" : dlerror());
        if (!library) puts("continuing on the CPU");
        fflush(stdout);
        return compute();
    }
    if (!strcmp(mode, "quiet")) {   /* the same, without a word */
        puts(dlopen(file, RTLD_NOW) ? "fast path" : "slow path");
        fflush(stdout);
        return compute();
    }
    return work(dlopen(file, RTLD_NOW));
}
