/* A target that loads and looks up as its arguments say.
 *
 * open:PATH       dlopen            missing:NAME   dlopen that fails
 * sym:NAME        dlsym in the last library   cold:NAME   the same with the name on a page that is not in memory
 * temporary:NAME  the same with the name in a buffer that is overwritten right after
 * repeat:N        N times dlsym of "stride"     reload:PATH:N   N times dlopen, call stride(), dlclose
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *library;

static void cold(const char *name) {
    char path[] = "/tmp/cold-XXXXXX", page[4096] = "";
    int fd = mkstemp(path);
    strcpy(page, name);
    if (write(fd, page, sizeof page) != sizeof page || fsync(fd)) exit(7);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    char *mapped = mmap(NULL, sizeof page, PROT_READ, MAP_PRIVATE, fd, 0);
    madvise(mapped, sizeof page, MADV_RANDOM);
    dlsym(library, mapped);
    unlink(path);
}

static void temporary(const char *name) {
    char buffer[64];
    strcpy(buffer, name);
    dlsym(library, buffer);
    memset(buffer, 'x', sizeof buffer);
}

static int reload(const char *path, int times) {
    int sum = 0;
    for (int i = 0; i < times; i++) {
        void *handle = dlopen(path, RTLD_NOW);
        int (*stride)(int) = (int (*)(int))dlsym(handle, "stride");
        sum += stride(i) - i;
        dlclose(handle);
    }
    return sum;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *what = strtok(argv[i], ":"), *a = strtok(NULL, ":"), *b = strtok(NULL, ":");
        if (!strcmp(what, "open")) library = dlopen(a, RTLD_NOW);
        else if (!strcmp(what, "missing")) { if (dlopen(a, RTLD_LAZY)) exit(6); }
        else if (!strcmp(what, "sym")) dlsym(library, a);
        else if (!strcmp(what, "cold")) cold(a);
        else if (!strcmp(what, "temporary")) temporary(a);
        else if (!strcmp(what, "repeat")) for (int n = atoi(a); n--;) dlsym(library, "stride");
        else if (!strcmp(what, "reload")) { if (reload(a, atoi(b)) != atoi(b)) exit(5); }
        else if (!strcmp(what, "sleep")) usleep(atoi(a));
    }
    return 0;
}
