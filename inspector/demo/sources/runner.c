/* The child that talks to the GPU: loads the backends of OLLAMA_LIBRARY_PATH, quietly, and says what they found.
 *
 * With --model it stays and computes until it is ended. A backend that cannot be loaded leaves no line anywhere: ggml's
 * loader is built to be silent.
 */
#include "backend.h"
#include "program.h"
#include "server.h"
#include <dlfcn.h>
#include <glob.h>

static struct backend *load_from(const char *directory) {
    char pattern[PATH_MAX];
    glob_t files;
    struct backend *best = NULL;
    snprintf(pattern, sizeof pattern, "%s/libggml-*.so", directory);
    if (debugging())
        say("DEBUG", "ggml.go:94", "msg=\"ggml backend load all from path\" path=%s", directory);
    if (glob(pattern, 0, NULL, &files))
        return NULL;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        void *library = dlopen(files.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
        struct backend *(*begin)(void) =
            library ? (struct backend * (*)(void)) dlsym(library, "ggml_backend_init") : NULL;
        struct backend *one = begin ? begin() : NULL;
        if (one)
            fprintf(stderr, "load_backend: loaded CUDA backend from %s\n", files.gl_pathv[i]);
        best = one && (!best || one->devices > best->devices) ? one : best;
    }
    globfree(&files);
    return best;
}

static struct backend *load_backends(void) {
    char list[PATH_MAX * 2], *rest_of_list = NULL;
    struct backend *best = NULL;
    snprintf(list, sizeof list, "%s", setting("OLLAMA_LIBRARY_PATH", ""));
    for (char *part = strtok_r(list, ":", &rest_of_list); part; part = strtok_r(NULL, ":", &rest_of_list)) {
        struct backend *one = load_from(part);
        best = one ? one : best;
    }
    say("INFO", "ggml.go:104", "msg=system CPU.0.SSE3=1 CPU.0.AVX2=1%s compiler=cgo(gcc)",
        best && best->devices ? " CUDA.0.ARCHS=900 CUDA.0.USE_GRAPHS=1" : "");
    return best;
}

static void answer(int question, const struct backend *backend) {
    if (!backend || !backend->devices) {
        dprintf(question, "devices=0\n");
        return;
    }
    dprintf(question,
            "devices=%d id=GPU-51515151-5151-5151-5151-515151515151 compute=%d.%d driver=%d.%d pci=0000:00:05.0 "
            "total=%zu available=%zu name=%s\n",
            backend->devices, backend->major, backend->minor, backend->driver / 1000, backend->driver % 1000 / 10,
            backend->total, backend->available, backend->name);
}

static int compute_for_ever(struct backend *backend) {
    const char *layers = setting("DEMO_LAYERS", "29/29");
    int result = backend && backend->devices && *layers != '0' ? backend->compute(1) : -1;
    if (!result)
        fprintf(
            stderr,
            "load_tensors: offloaded %s layers to GPU\nload_tensors:        CUDA0 model buffer size =  1918.35 MiB\n",
            layers);
    else if (result > 0)
        return fprintf(stderr, "error loading model: unable to allocate CUDA0 buffer\n"), 1;
    else if (*layers == '0')
        fprintf(stderr, "load_tensors: offloaded %s layers to GPU\n", layers);
    for (;;) {
        rest(0.05);
        if (!result && backend->compute(8))
            return 1;
    }
}

int run_runner(int count, char **arguments) {
    int port = 0, model = 0;
    for (int i = 2; i < count; i++) {
        model |= !strcmp(arguments[i], "--model");
        port = !strcmp(arguments[i], "--port") && i + 1 < count ? atoi(arguments[i + 1]) : port;
    }
    if (model) {
        start_up();
        return compute_for_ever(load_backends());
    }
    int question = accept_question(port);
    start_up();
    answer(question, load_backends());
    close(question);
    rest(0.05);
    return 0;
}
