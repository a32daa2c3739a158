/* A model server that finds its GPUs as Ollama 0.13 does: it opens no GPU library itself, but starts a short-lived
 * child
 * (`PROGRAM runner --ollama-engine --port N`) for each directory of backends, asks it over HTTP, and throws its output
 * away.
 *
 * OLLAMA_DEBUG=1|2   more lines; 2 shows the output of the children
 * OLLAMA_LLM_LIBRARY=cuda_v12   only that directory
 * DEMO_LIMIT=30      seconds after which discovery gives up a child
 * DEMO_REPEAT=0      seconds after which discovery is done again; 0: once, as Ollama does
 * DEMO_STRIP=KEY     environment key that children do not get
 * DEMO_LAYERS=29/29  after discovery, load a model in a runner of its own and offload so many layers if there is a GPU
 */
#include "server.h"
#include "program.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
enum { MOST_DEVICES = 8 };
struct device {
    char id[64], directory[64], compute[16], driver[16], name[128], pci[32];
    unsigned long long total, available;
};
static struct device devices[MOST_DEVICES];
static int found;
static char library_root[PATH_MAX], program[PATH_MAX];

/* The environment of a child: ours without what the child gets anew. */
static char **child_environment(const char *directory, const char *device) {
    static char *result[512], library_path[PATH_MAX * 2], own_path[PATH_MAX * 2], visible[96];
    const char *drop[] = {"LD_LIBRARY_PATH", "OLLAMA_LIBRARY_PATH", device ? "CUDA_VISIBLE_DEVICES" : NULL,
                          getenv("DEMO_STRIP")};
    const char *users = getenv("LD_LIBRARY_PATH");
    int n = 0;
    for (char **entry = environ; *entry && n < 500; entry++) {
        int keep = 1;
        for (size_t i = 0; i < sizeof drop / sizeof *drop; i++)
            keep &= !(drop[i] && !strncmp(*entry, drop[i], strlen(drop[i])) && (*entry)[strlen(drop[i])] == '=');
        if (keep)
            result[n++] = *entry;
    }
    snprintf(own_path, sizeof own_path, "OLLAMA_LIBRARY_PATH=%s:%s/%s", library_root, library_root, directory);
    snprintf(library_path, sizeof library_path, "LD_LIBRARY_PATH=%s:%s/%s%s%s", library_root, library_root, directory,
             users ? ":" : "", users ? users : "");
    result[n++] = own_path;
    result[n++] = library_path;
    if (device) {
        snprintf(visible, sizeof visible, "CUDA_VISIBLE_DEVICES=%s", device);
        result[n++] = visible;
        result[n++] = "GGML_CUDA_INIT=1";
    }
    result[n] = NULL;
    return result;
}

/* Go starts programs by the system call itself: no hook on libc's exec functions sees it. */
static pid_t start_runner(int port, char **environment, int silent, const char *model) {
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    char *arguments[] = {program,       "runner", "--ollama-engine", "--port", number, model ? "--model" : NULL,
                         (char *)model, NULL};
    say("INFO", "server.go:392", "msg=\"starting runner\" cmd=\"%s runner --ollama-engine%s%s --port %d\"", program,
        model ? " --model " : "", model ? model : "", port);
    pid_t pid = fork();
    if (pid)
        return pid;
    if (silent) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 1);
        dup2(nowhere, 2);
    }
    syscall(SYS_execve, program, arguments, environment);
    _exit(127);
}

static void failure(const char *directory, const char *device, const char *error) {
    say("INFO", "runner.go:464",
        "msg=\"failure during GPU discovery\" OLLAMA_LIBRARY_PATH=\"[%s %s/%s]\" extra_envs=map[%s%s] error=\"%s\"",
        library_root, library_root, directory, device ? "CUDA_VISIBLE_DEVICES:" : "", device ? device : "", error);
}

/* Ask one child what it has; the number of devices, or -1 if it did not answer. */
static int ask(const char *directory, const char *device, char *answer, size_t size) {
    int port = free_port(), got = -1;
    double end = now() + seconds("DEMO_LIMIT", 30);
    pid_t gone = 0, pid = start_runner(port, child_environment(directory, device), debugging() < 2, NULL);
    while (now() < end && !gone && (got = http_get(port, answer, size, end - now())) < 0) {
        rest(0.01);
        gone = waitpid(pid, NULL, WNOHANG);
    }
    if (got < 0)
        failure(directory, device, gone ? "runner crashed" : "failed to finish discovery before timeout");
    if (!gone) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    int count = 0;
    return got < 0 ? -1 : sscanf(answer, "devices=%d", &count) == 1 ? count : -1;
}

static void remember(const char *directory, const char *answer) {
    struct device *device = &devices[found];
    if (found == MOST_DEVICES)
        return;
    if (strstr(answer, " total=0 ")) {
        if (debugging())
            say("DEBUG", "runner.go:131", "msg=\"skipping pseudo-device with zero memory\" libdir=%s", directory);
        return;
    }
    snprintf(device->directory, sizeof device->directory, "%s", directory);
    if (sscanf(answer, "devices=%*d id=%63s compute=%15s driver=%15s pci=%31s total=%llu available=%llu name=%127[^\n]",
               device->id, device->compute, device->driver, device->pci, &device->total, &device->available,
               device->name) == 7)
        found++;
}

static int holds_backend(const char *directory) {
    char path[PATH_MAX];
    int result = 0;
    snprintf(path, sizeof path, "%s/%s", library_root, directory);
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        result |= strstr(entry->d_name, "ggml-") != NULL;
    if (listing)
        closedir(listing);
    return result;
}

static void first_pass(void) {
    struct dirent **entries;
    char answer[1024];
    const char *only = getenv("OLLAMA_LLM_LIBRARY");
    int count = scandir(library_root, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (*name == '.' || !holds_backend(name))
            continue;
        if (only && *only && strcmp(only, name)) {
            if (debugging())
                say("DEBUG", "runner.go:90",
                    "msg=\"skipping available library at user's request\" requested=%s libDir=%s/%s", only,
                    library_root, name);
            continue;
        }
        if (ask(name, NULL, answer, sizeof answer) > 0)
            remember(name, answer);
    }
    if (debugging())
        say("DEBUG", "runner.go:124", "msg=\"evaluating which, if any, devices to filter out\" initial_count=%d",
            found);
}

static void second_pass(void) {
    char answer[1024];
    int kept = 0;
    for (int i = 0; i < found; i++) {
        struct device *device = &devices[i];
        if (debugging())
            say("DEBUG", "runner.go:146",
                "msg=\"verifying if device is supported\" library=%s/%s description=\"%s\" compute=%s id=%s pci_id=%s",
                library_root, device->directory, device->name, device->compute, device->id, device->pci);
        if (ask(device->directory, device->id, answer, sizeof answer) > 0)
            devices[kept++] = *device;
        else if (debugging())
            say("DEBUG", "runner.go:153",
                "msg=\"filtering device which didn't fully initialize\" id=%s libdir=%s/%s pci_id=%s library=CUDA",
                device->id, library_root, device->directory, device->pci);
    }
    found = kept;
}

static void tell(void) {
    double gib = 1024.0 * 1024 * 1024, total = 0;
    for (int i = 0; i < found; i++) {
        struct device *d = &devices[i];
        total += (double)d->total;
        say("INFO", "types.go:42",
            "msg=\"inference compute\" id=%s filter_id=\"\" library=CUDA compute=%s name=CUDA%d description=\"%s\" "
            "libdirs=ollama,%s driver=%s pci_id=%s type=discrete total=\"%.1f GiB\" available=\"%.1f GiB\"",
            d->id, d->compute, i, d->name, d->directory, d->driver, d->pci, (double)d->total / gib,
            (double)d->available / gib);
    }
    if (!found)
        say("INFO", "types.go:60",
            "msg=\"inference compute\" id=cpu library=cpu compute=\"\" name=cpu description=cpu libdirs=ollama "
            "driver=\"\" "
            "pci_id=\"\" type=\"\" total=\"15.6 GiB\" available=\"12.1 GiB\"");
    say("INFO", "routes.go:1710", "msg=\"vram-based default context\" total_vram=\"%.*f%s\" default_num_ctx=%d",
        found ? 1 : 0, total / gib, found ? " GiB" : " B", found ? 262144 : 4096);
}

static void discover(void) {
    const char *users = getenv("CUDA_VISIBLE_DEVICES");
    found = 0;
    say("INFO", "runner.go:67", "msg=\"discovering available GPUs...\"");
    if (users && *users)
        say("WARN", "runner.go:485", "msg=\"user overrode visible devices\" CUDA_VISIBLE_DEVICES=%s", users);
    first_pass();
    second_pass();
    tell();
}

static pid_t load_model(const char *layers) {
    const char *model = "/var/lib/models/blobs/sha256-5151";
    pid_t pid = start_runner(free_port(), child_environment(found ? devices[0].directory : "", NULL), 0, model);
    start_up();
    rest(0.1);
    say("INFO", "server.go:1338", "msg=\"llama runner started in 0.40 seconds\"");
    if (!found)
        say("INFO", "ggml.go:494", "msg=\"offloaded 0/%s layers to GPU\"",
            strchr(layers, '/') ? strchr(layers, '/') + 1 : layers);
    return pid;
}

static void find_own_files(void) {
    char path[PATH_MAX], root[PATH_MAX + 16];
    snprintf(root, sizeof root, "%s/../lib/ollama", own_directory(path));
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || !realpath(root, library_root))
        say("WARN", "path.go:22", "msg=\"no library directory\" path=%s", root);
}

int serve(void) {
    const char *layers = getenv("DEMO_LAYERS");
    double again = seconds("DEMO_REPEAT", 0);
    find_own_files();
    say("INFO", "routes.go:1554",
        "msg=\"server config\" env=\"map[CUDA_VISIBLE_DEVICES:%s OLLAMA_DEBUG:INFO OLLAMA_LLM_LIBRARY:%s]\"",
        setting("CUDA_VISIBLE_DEVICES", ""), setting("OLLAMA_LLM_LIBRARY", ""));
    int listening = serve_port(atoi(setting("DEMO_PORT", "0")));
    say("INFO", "routes.go:1607", "msg=\"Listening on 127.0.0.1:%d (version 0.13.5)\"", listening);
    start_up();
    discover();
    if (layers)
        load_model(layers);
    for (double since = 0;; since += 0.1) {
        rest(0.1);
        answer_clients();
        if (again > 0 && since >= again) {
            since = 0;
            discover();
        }
    }
}

int main(int count, char **arguments) {
    return count > 1 && !strcmp(arguments[1], "runner") ? run_runner(count, arguments) : serve();
}
