// A CUDA backend for the ggml of Ollama: it discovers through the runtime as the real one does, keeps what it is given in
// the memory of the processor, launches something for each graph, and computes nothing.
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {
int cudaGetDeviceCount(int *);
int cudaGetDeviceProperties_v2(void *, int);
int cudaDeviceGetAttribute(int *, int, int);
int cudaSetDevice(int);
int cudaMemGetInfo(size_t *, size_t *);
int cudaDriverGetVersion(int *);
int cudaMalloc(unsigned long long *, size_t);
int cudaStandInLaunch(void);
const char *cudaGetErrorString(int);
}

static ggml_backend_device device;
static char description[4096];
static int found = -1, major, minor;

static void discover(ggml_backend_reg_t registry) {
    if (found >= 0) return;
    found = 0;
    int count = 0;
    if (int error = cudaGetDeviceCount(&count)) {
        fprintf(stderr, "ggml_cuda_init: failed to initialize CUDA: %s\n", cudaGetErrorString(error));
        return;
    }
    if (!count || cudaGetDeviceProperties_v2(description, 0)) return;
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

static const char *buffer_name(ggml_backend_buffer_type_t) { return "CUDA0"; }
static size_t alignment(ggml_backend_buffer_type_t) { return 128; }

// A buffer without memory is what a server reserves to see how much a model would take.
static ggml_backend_buffer_t make_buffer(ggml_backend_buffer_type_t kind, size_t size, bool memory) {
    auto *buffer = new ggml_backend_buffer{};
    buffer->buft = kind;
    buffer->size = size;
    buffer->context = memory ? aligned_alloc(128, (size + 255) / 128 * 128) : reinterpret_cast<void *>(0x1000);
    if (memory) buffer->iface.free_buffer = [](ggml_backend_buffer_t one) { free(one->context); };
    buffer->iface.get_base = [](ggml_backend_buffer_t one) { return one->context; };
    buffer->iface.memset_tensor = [](ggml_backend_buffer_t, ggml_tensor *to, uint8_t value, size_t at, size_t n) {
        memset(static_cast<char *>(to->data) + at, value, n);
    };
    buffer->iface.set_tensor = [](ggml_backend_buffer_t, ggml_tensor *to, const void *from, size_t at, size_t n) {
        memcpy(static_cast<char *>(to->data) + at, from, n);
    };
    buffer->iface.get_tensor = [](ggml_backend_buffer_t, const ggml_tensor *from, void *to, size_t at, size_t n) {
        memcpy(to, static_cast<const char *>(from->data) + at, n);
    };
    buffer->iface.clear = [](ggml_backend_buffer_t one, uint8_t value) {
        if (one->iface.free_buffer) memset(one->context, value, one->size);
    };
    return buffer;
}

static ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t kind, size_t size) {
    unsigned long long address = 0;
    cudaMalloc(&address, size);
    return make_buffer(kind, size, true);
}

static ggml_backend_buffer_type_t buffers(ggml_backend_dev_t which) {
    static ggml_backend_buffer_type kind{};
    kind.device = which;
    kind.iface.get_name = buffer_name;
    kind.iface.alloc_buffer = allocate;
    kind.iface.get_alignment = alignment;
    kind.iface.is_host = [](ggml_backend_buffer_type_t) { return false; };
#ifdef OLLAMA
    kind.iface.noalloc_buffer = [](ggml_backend_buffer_type_t one, size_t n) { return make_buffer(one, n, false); };
#endif
    return &kind;
}

static ggml_backend_t start(ggml_backend_dev_t which, const char *) {
    static ggml_guid guid = {1, 2, 3};
    auto *backend = new ggml_backend{};
    backend->guid = &guid;
    backend->device = which;
    backend->iface.get_name = [](ggml_backend_t) { return "CUDA0"; };
    backend->iface.free = [](ggml_backend_t one) { delete one; };
    backend->iface.graph_compute = [](auto...) { cudaStandInLaunch(); return GGML_STATUS_SUCCESS; };
#ifdef OLLAMA
    backend->iface.graph_reserve = [](auto...) { return GGML_STATUS_SUCCESS; };
    backend->iface.buffer_size = [](ggml_backend_t) { return size_t(0); };
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
    device.iface.supports_op = [](ggml_backend_dev_t, const ggml_tensor *) { return true; };
    device.iface.supports_buft = [](ggml_backend_dev_t which, ggml_backend_buffer_type_t kind) { return kind == buffers(which); };
#ifdef OLLAMA
    device.iface.reset = [](ggml_backend_dev_t) {};
#endif
    discover(&registry);
    return &registry;
}
