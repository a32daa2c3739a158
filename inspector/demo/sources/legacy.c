/* A model server that finds its GPUs as Ollama up to 0.12.3 did: in the server itself, by opening every libcuda.so*
 * that it finds by its absolute path and looking up ten names in it. What is preloaded cannot come in between.
 *
 * OLLAMA_DEBUG=1   more lines, some of them raw, without the slog carrier and without a newline
 */
#include "program.h"
#include <dlfcn.h>
#include <glob.h>

typedef int (*function)();
enum { INIT, VERSION, COUNT, GET, ATTRIBUTE, UUID, NAME, CREATE, MEMORY, DESTROY, NAMES };
static const char *const wanted[NAMES] = {
    "cuInit",          "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet",     "cuDeviceGetAttribute",
    "cuDeviceGetUuid", "cuDeviceGetName",    "cuCtxCreate_v3",   "cuMemGetInfo_v2", "cuCtxDestroy"};
static function found[NAMES];

static int debugging_line(const char *format, int value) { return debugging() ? dprintf(2, format, value) : 0; }

static int look_up(void *library, const char *path) {
    for (int i = 0; i < NAMES; i++)
        if (!(found[i] = (function)dlsym(library, wanted[i]))) {
            say("INFO", "gpu.go:612", "msg=\"Unable to load cudart library %s: symbol lookup for %s failed: %s\"", path,
                wanted[i], dlerror());
            return 0;
        }
    return 1;
}

static void refuse(const char *path, int result) {
    if (result == 100)
        say("INFO", "gpu.go:601", "msg=\"no nvidia devices detected by library %s\"", path);
    else
        say("WARN", "gpu.go:605",
            "msg=\"unknown error initializing cuda driver library %s: cuda driver library init failure: %d\"", path,
            result);
}

static int tell_device(int version) {
    unsigned char uuid[16] = {0};
    size_t available = 0, total = 0;
    char name[128] = "";
    int device = 0, major = 0, minor = 0;
    void *context;
    if (found[GET](&device, 0) || found[ATTRIBUTE](&major, 75, device) || found[ATTRIBUTE](&minor, 76, device) ||
        found[UUID](uuid, device) || found[NAME](name, (int)sizeof name, device) ||
        found[CREATE](&context, NULL, 0, 0, device)) {
        say("INFO", "gpu.go:344",
            "msg=\"error looking up nvidia GPU memory\" error=\"cuda driver library failed to get device context\"");
        return 0;
    }
    found[MEMORY](&available, &total);
    found[DESTROY](context);
    say("INFO", "types.go:132",
        "msg=\"inference compute\" id=GPU-%02x%02x%02x%02x library=cuda variant=v12 compute=%d.%d driver=%d.%d "
        "name=\"%s\" "
        "total=\"%.1f GiB\" available=\"%.1f GiB\"",
        uuid[0], uuid[1], uuid[2], uuid[3], major, minor, version / 1000, version % 1000 / 10, name,
        (double)total / (1 << 30), (double)available / (1 << 30));
    return 1;
}

static int try_file(const char *path) {
    int result, version = 0, devices = 0, told = 0;
    void *library = dlopen(path, RTLD_LAZY);
    if (!library)
        return say("INFO", "gpu.go:590", "msg=\"Unable to load cudart library %s: %s\"", path, dlerror()), 0;
    if (look_up(library, path)) {
        debugging_line("calling cuInit\n", 0);
        result = found[INIT](0);
        if (result)
            debugging_line("cuInit err: %d\n", result);
        if (!result && !(result = found[VERSION](&version)) && !(result = found[COUNT](&devices)))
            debugging_line("device count %d", devices);
        if (result || !devices)
            refuse(path, result ? result : 100);
        else
            told = tell_device(version);
    }
    dlclose(library);
    return told;
}

static int try_folder(const char *folder) {
    char pattern[PATH_MAX], real[PATH_MAX];
    glob_t files;
    int told = 0;
    snprintf(pattern, sizeof pattern, "%s/libcuda.so*", folder);
    if (glob(pattern, 0, NULL, &files))
        return 0;
    for (size_t i = 0; i < files.gl_pathc && !told; i++)
        told = realpath(files.gl_pathv[i], real) && try_file(real);
    globfree(&files);
    return told;
}

int main(void) {
    char list[PATH_MAX * 2], *rest_of_list = NULL;
    int told = 0;
    say("INFO", "routes.go:1332", "msg=\"Listening on 127.0.0.1:11435 (version 0.12.3)\"");
    start_up();
    say("INFO", "gpu.go:217", "msg=\"looking for compatible GPUs\"");
    snprintf(list, sizeof list, "%s", setting("LD_LIBRARY_PATH", ""));
    for (char *part = strtok_r(list, ":", &rest_of_list); part && !told; part = strtok_r(NULL, ":", &rest_of_list))
        told = try_folder(part);
    if (!told) {
        say("INFO", "gpu.go:396", "msg=\"no compatible GPUs were discovered\"");
        say("INFO", "types.go:132",
            "msg=\"inference compute\" id=0 library=cpu variant=\"\" compute=\"\" driver=0.0 name=\"\" total=\"15.6 "
            "GiB\" "
            "available=\"12.1 GiB\"");
    }
    for (;;)
        rest(1);
}
