/* A model server that finds its GPUs as Ollama from 0.30 does: `llama-server --list-devices` for each folder of
 * backends, its output read from a pipe; then, if there is a device, a llama-server that computes.
 *
 * OLLAMA_DEBUG=1   more lines
 */
#include "program.h"
#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static char root[PATH_MAX], llama_server[PATH_MAX + 16];

/* The environment of a child: the two folders before the user's own, and the backend to load. */
static void point_to(const char *folder) {
    static char users[PATH_MAX * 2];
    static int known;
    char path[PATH_MAX * 2], backend[PATH_MAX + 32];
    if (!known++)
        snprintf(users, sizeof users, "%s", setting("LD_LIBRARY_PATH", ""));
    snprintf(path, sizeof path, "%s:%s/%s%s%s", root, root, folder, *users ? ":" : "", users);
    snprintf(backend, sizeof backend, "%s/%s/libggml-cuda.so", root, folder);
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("GGML_BACKEND_PATH", backend, 1);
}

static pid_t start(const char *option, int output) {
    char *arguments[] = {llama_server, (char *)option, "--offline", "--verbose", NULL};
    pid_t pid = fork();
    if (pid)
        return pid;
    if (output >= 0) {
        dup2(output, 1);
        dup2(output, 2);
    }
    syscall(SYS_execve, llama_server, arguments, environ);
    _exit(127);
}

static int keep(const char *line, const char *folder) {
    char name[128];
    int total, available, major = 9, minor = 0;
    if (sscanf(line, "  CUDA0: %127[^(](%d MiB, %d MiB free)", name, &total, &available) != 3)
        return 0;
    name[strlen(name) - 1] = '\0';
    if (!total) {
        if (debugging())
            say("DEBUG", "llama_server.go:311",
                "msg=\"skipping pseudo-device with zero memory\" name=CUDA0 libDirs=%s/%s", root, folder);
        return 0;
    }
    say("INFO", "types.go:50",
        "msg=\"inference compute\" id=0 filter_id=\"\" library=CUDA compute=%d.%d name=CUDA0 description=\"%s\" "
        "libdirs=ollama,%s driver=12.9 pci_id=0000:00:05.0 type=discrete total=\"%.1f GiB\" available=\"%.1f GiB\"",
        major, minor, name, folder, total / 1024.0, available / 1024.0);
    return 1;
}

static int ask(const char *folder) {
    char line[512];
    int ends[2], status = 0, kept = 0;
    if (pipe(ends))
        return 0;
    point_to(folder);
    pid_t pid = start("--list-devices", ends[1]);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    while (fgets(line, sizeof line, output))
        kept |= keep(line, folder);
    fclose(output);
    waitpid(pid, &status, 0);
    if (status)
        say("INFO", "llama_server.go:204",
            "msg=\"failure during llama-server GPU discovery\" OLLAMA_LIBRARY_PATH=\"[%s %s/%s]\" extra_envs=map[] "
            "error=\"llama-server --list-devices failed: %s %d\"",
            root, root, folder, WIFSIGNALED(status) ? "signal" : "exit status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return kept;
}

int main(void) {
    char path[PATH_MAX], folder[256] = "";
    struct dirent **entries;
    snprintf(root, sizeof root, "%s/../lib/ollama", own_directory(path));
    snprintf(llama_server, sizeof llama_server, "%s/llama-server", root);
    say("INFO", "routes.go:1900", "msg=\"Listening on 127.0.0.1:11436 (version 0.30.2)\"");
    say("INFO", "runner.go:67", "msg=\"discovering available GPUs...\"");
    start_up();
    int found = 0, count = scandir(root, &entries, NULL, alphasort);
    for (int i = 0; i < count && !found; i++)
        if (!strncmp(entries[i]->d_name, "cuda_", 5) && (found = ask(entries[i]->d_name)))
            snprintf(folder, sizeof folder, "%s", entries[i]->d_name);
    if (!found)
        say("INFO", "types.go:60",
            "msg=\"inference compute\" id=cpu library=cpu compute=\"\" name=cpu description=cpu libdirs=ollama "
            "driver=\"\" "
            "pci_id=\"\" type=\"\" total=\"15.6 GiB\" available=\"12.1 GiB\"");
    say("INFO", "llama_server.go:88", "msg=\"starting llama-server\" cmd=\"%s --offline --verbose\"", llama_server);
    if (found)
        point_to(folder);
    else
        setenv("GGML_BACKEND_PATH", "", 1);
    start("--no-webui", -1);
    for (;;)
        rest(1);
}
