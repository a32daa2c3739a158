/* What the programs of the demo share: one log line in the format of Go's slog, settings, the directory of the program.
 */
#ifndef PROGRAM_H
#define PROGRAM_H
#define _GNU_SOURCE
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static inline void say(const char *level, const char *source, const char *format, ...) {
    struct timeval now;
    char stamp[40], line[4096];
    va_list values;
    gettimeofday(&now, NULL);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", gmtime(&now.tv_sec));
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    dprintf(2, "time=%s.%03dZ level=%s source=%s %s\n", stamp, (int)(now.tv_usec / 1000), level, source, line);
}

static inline const char *setting(const char *key, const char *otherwise) {
    const char *value = getenv(key);
    return value ? value : otherwise;
}

static inline double seconds(const char *key, double otherwise) { return getenv(key) ? atof(getenv(key)) : otherwise; }
static inline double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}
static inline void rest(double for_seconds) { usleep((useconds_t)(for_seconds * 1e6)); }
/* Programs take a moment before they come to the GPU: configuration, a model's head. DEMO_START=0.3
 * DEMO_HOLD=FILE: they also wait until that file is there, which says that the observer has read what they are made of. */
static inline void start_up(void) {
    const char *sign = getenv("DEMO_HOLD");
    double end = now() + 20;
    rest(seconds("DEMO_START", 0.3));
    while (sign && access(sign, F_OK) && now() < end)
        rest(0.02);
}
static inline int debugging(void) { return atoi(setting("OLLAMA_DEBUG", "0")); }

/* Directory of the program's real file, and that file. */
static inline const char *own_directory(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = '\0';
    return dirname(path);
}
#endif
