/* A single program that computes, as llama.cpp's: loads the backend beside it (or GGML_BACKEND_PATH) and says what
 * became of it. Same driver, runtime and backend as the server's children, in one process that lives on.
 *
 * --list-devices    only name the devices, then end
 * INFER_SIGNALS=1   a fault ends it with the plain status 2, as Go programs do
 */
#include "backend.h"
#include "program.h"
#include <dlfcn.h>
#include <signal.h>

static void exit_plainly(int signal) {
    (void)signal;
    _exit(2);
}

static struct backend *load(const char *path) {
    if (!*path)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "load_backend: failed to load %s: %s\n", path, dlerror());
        return NULL;
    }
    struct backend *(*begin)(void) = (struct backend * (*)(void)) dlsym(library, "ggml_backend_init");
    if (!begin) {
        fprintf(stderr, "load_backend: failed to find ggml_backend_init in %s\n", path);
        return NULL;
    }
    struct backend *backend = begin();
    fprintf(stderr, "load_backend: loaded CUDA backend from %s\n", path);
    return backend;
}

static int list_devices(const struct backend *backend) {
    printf("Available devices:\n");
    if (backend && backend->devices)
        printf("  CUDA0: %s (%zu MiB, %zu MiB free)\n", backend->name, backend->total >> 20, backend->available >> 20);
    return 0;
}

int main(int count, char **arguments) {
    char path[PATH_MAX], beside[PATH_MAX + 32];
    if (seconds("INFER_SIGNALS", 0) > 0)
        signal(SIGSEGV, exit_plainly);
    start_up();
    snprintf(beside, sizeof beside, "%s/libggml-cuda.so", own_directory(path));
    struct backend *backend = load(setting("GGML_BACKEND_PATH", beside));
    if (count > 1 && !strcmp(arguments[1], "--list-devices"))
        return list_devices(backend);
    int usable = backend && backend->devices;
    if (usable)
        fprintf(stderr, "llama_model_load_from_file_impl: using device CUDA0 (%s) (0000:00:05.0) - %zu MiB free\n",
                backend->name, backend->available >> 20);
    usable = usable && !backend->compute(4);
    fprintf(stderr, "load_tensors: offloaded %d/17 layers to GPU\n", usable ? 17 : 0);
    if (usable)
        fprintf(stderr, "load_tensors:        CUDA0 model buffer size =  1918.35 MiB\n");
    for (;;) {
        rest(0.05);
        if (usable && backend->compute(4))
            return 1;
    }
}
