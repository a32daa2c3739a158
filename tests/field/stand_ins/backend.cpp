// A CUDA backend for the ggml of Ollama: it discovers through the runtime as the real one does, and computes nothing.
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include <cstring>
#include <string>

extern "C" {
int cudaGetDeviceCount(int *);
int cudaGetDeviceProperties_v2(void *, int);
int cudaDeviceGetAttribute(int *, int, int);
int cudaSetDevice(int);
int cudaMemGetInfo(size_t *, size_t *);
int cudaDriverGetVersion(int *);
}

static ggml_backend_device device;
static char description[4096];
static int found = -1, major, minor;

static void discover(ggml_backend_reg_t registry) {
    if (found >= 0) return;
    found = 0;
    int count = 0;
    if (cudaGetDeviceCount(&count) || !count || cudaGetDeviceProperties_v2(description, 0)) return;
    cudaDeviceGetAttribute(&major, 75, 0);
    cudaDeviceGetAttribute(&minor, 76, 0);
    device.reg = registry;
    found = 1;
}

static const char *name(ggml_backend_dev_t) { return "CUDA0"; }
static const char *describe(ggml_backend_dev_t) { return description; }
static enum ggml_backend_dev_type type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }

static void memory(ggml_backend_dev_t, size_t *free, size_t *total) {
    cudaSetDevice(0);
    if (cudaMemGetInfo(free, total)) *free = *total = 0;
}

static void properties(ggml_backend_dev_t which, ggml_backend_dev_props *out) {
    memset(out, 0, sizeof *out);
    out->name = name(which);
    out->description = describe(which);
    out->type = type(which);
#ifdef OLLAMA
    out->id = "GPU-00000000";
    out->library = "CUDA";
    out->compute_major = major;
    out->compute_minor = minor;
    int version = 0;
    cudaDriverGetVersion(&version);
    out->driver_major = version / 1000;
    out->driver_minor = version % 1000 / 10;
#endif
    memory(which, &out->memory_free, &out->memory_total);
}

// What the server makes of a device at once, before any model: a kind of buffer, and a backend.
static const char *buffer_name(ggml_backend_buffer_type_t) { return "CUDA0"; }
static size_t alignment(ggml_backend_buffer_type_t) { return 128; }

static ggml_backend_buffer_type_t buffers(ggml_backend_dev_t which) {
    static ggml_backend_buffer_type kind{};
    kind.device = which;
    kind.iface.get_name = buffer_name;
    kind.iface.get_alignment = alignment;
    return &kind;
}

static ggml_backend_t start(ggml_backend_dev_t which, const char *) {
    static ggml_guid guid = {1, 2, 3};
    auto *backend = new ggml_backend{};
    backend->guid = &guid;
    backend->device = which;
    backend->iface.get_name = [](ggml_backend_t) { return "CUDA0"; };
    backend->iface.free = [](ggml_backend_t one) { delete one; };
#ifdef OLLAMA
    backend->iface.reset = [](ggml_backend_t) {};
#endif
    return backend;
}

static const char *registry_name(ggml_backend_reg_t) { return "CUDA"; }
static size_t count(ggml_backend_reg_t registry) { discover(registry); return found; }
static ggml_backend_dev_t get(ggml_backend_reg_t registry, size_t) { discover(registry); return &device; }
static void *procedure(ggml_backend_reg_t, const char *) { return nullptr; }

extern "C" ggml_backend_reg_t ggml_backend_init(void) {
    static ggml_backend_reg registry{};
    registry.api_version = GGML_BACKEND_API_VERSION;
    registry.iface.get_name = registry_name;
    registry.iface.get_device_count = count;
    registry.iface.get_device = get;
    registry.iface.get_proc_address = procedure;
    device.iface.get_name = name;
    device.iface.get_description = describe;
    device.iface.get_memory = memory;
    device.iface.get_type = type;
    device.iface.get_props = properties;
    device.iface.get_buffer_type = buffers;
    device.iface.init_backend = start;
#ifdef OLLAMA
    device.iface.reset = [](ggml_backend_dev_t) {};
#endif
    discover(&registry);
    return &registry;
}
