/* loads COUNT MICROSECONDS: opens libraries that nobody could foresee, each from a folder of its own, and calls each of
   them once, so long after its load. Where they lie stands in the file `where` of its working directory. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

int main(int count, char **words) {
    char base[3000] = "", path[4096];
    FILE *where = fopen("where", "r");
    if (!where || !fgets(base, sizeof base, where)) return 2;
    for (int i = 0; i < atoi(words[1]); i++) {
        snprintf(path, sizeof path, "%s/%d/libodd.so", base, i);
        void *library = dlopen(path, RTLD_NOW);
        if (!library) { fputs(dlerror(), stderr); return 3; }
        int (*call)(unsigned) = dlsym(library, "cuInit");
        for (double until = now() + atoi(words[2]); now() < until;) {}
        call(0);
    }
    return 0;
}
