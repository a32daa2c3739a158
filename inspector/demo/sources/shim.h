/* What all shims of the demo share: settings from the environment, one log line per call, results on demand.
 *
 * SHIM_FAIL=cuInit=100,cuLaunchKernel=700@5   result of a function, `@N`: from its Nth call on
 * SHIM_BLOCK=cuMemAlloc_v2=9                  seconds that a function waits before it answers
 * SHIM_CRASH=nvmlInit_v2                      function that follows a NULL pointer
 * SHIM_LOG=none | /path/of/log-%d             where lines go instead of stderr; %d is the pid
 * SHIM_LOG_NULS=1                             lines are counted three bytes too long
 * SHIM_ONLY=NAME                              answers "not initialised" unless /proc/self/comm is NAME
 */
#ifndef SHIM_H
#define SHIM_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef LABEL
#define LABEL "libvgpu-cuda"
#endif
#define API __attribute__((visibility("default")))
#define COUNTED(calls)                                                                                                 \
    ({                                                                                                                 \
        static int calls;                                                                                              \
        __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);                                                               \
    })

static __thread char shim_detail[160];

static inline const char *shim_setting(const char *key, const char *otherwise) {
    const char *value = getenv(key);
    return value ? value : otherwise;
}

/* The value that a list like `cuInit=100,cuMemAlloc_v2=2` gives to `function`; NULL if it names another one. */
static inline const char *shim_told(const char *list, const char *function) {
    size_t length = strlen(function);
    for (const char *at = list; at && *at; at = strchr(at, ','), at += at != NULL)
        if (!strncmp(at, function, length) && (at[length] == '=' || at[length] == ',' || !at[length]))
            return at[length] == '=' ? at + length + 1 : "1";
    return NULL;
}

/* Lines go out by the system call itself, so that a shim that overrides write() still speaks. */
static inline void shim_log(const char *format, ...) {
    static int out = -2;
    if (out == -2) {
#ifdef VENDOR
        const char *place = "none";
#else
        const char *place = shim_setting("SHIM_LOG", "");
#endif
        char path[512];
        snprintf(path, sizeof path, place, getpid());
        out = !*place ? 2 : !strcmp(place, "none") ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    if (out < 0)
        return;
    char line[520];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line - 8, format, values);
    va_end(values);
    if (length > (int)sizeof line - 9)
        length = sizeof line - 9;
    line[length++] = '\n';
    memset(line + length, 0, 3);
    length += getenv("SHIM_LOG_NULS") ? 3 : 0;
    extern long syscall(long, ...);
    syscall(1 /* SYS_write */, out, line, (size_t)length);
}

#define shim_says(...) snprintf(shim_detail, sizeof shim_detail, __VA_ARGS__)

static inline int shim_gate_refuses(void) {
    const char *only = getenv("SHIM_ONLY");
    char name[32] = "";
    if (!only)
        return 0;
    int file = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(file, name, sizeof name - 1);
    close(file);
    return length < 1 || strncmp(name, only, strlen(only)) != 0;
}

/* What happens before a function answers; the result that it was told to give, 0 otherwise. */
__attribute__((always_inline)) static inline int shim_enter(const char *function, int nth) {
    const char *told;
    shim_detail[0] = '\0';
    if ((told = shim_told(getenv("SHIM_BLOCK"), function))) {
        shim_log("[" LABEL "] %s() CALLED (pid=%d, waiting for the device)", function, getpid());
        double seconds = atof(told);
        for (struct timespec slice = {0, 20000000}; seconds > 0; seconds -= 0.02)
            nanosleep(&slice, NULL);
    }
    if (shim_told(getenv("SHIM_CRASH"), function)) {
        shim_log("[" LABEL "] fopen(\"/sys/bus/pci/devices/0000:00:05.0/vendor\") CALLED (pid=%d)", getpid());
        *(volatile int *)0 = nth;
    }
    if (!(told = shim_told(getenv("SHIM_FAIL"), function)))
        return 0;
    const char *from = strchr(told, '@'), *next = strchr(told, ',');
    return from && (!next || from < next) && nth < atoi(from + 1) ? 0 : atoi(told);
}

static inline int shim_leave(const char *function, int result) {
    shim_log("[" LABEL "] %s() %s: return_code=%d%s%s (pid=%d)", function, result ? "ERROR" : "SUCCESS", result,
             *shim_detail ? ", " : "", shim_detail, getpid());
    return result;
}

/* A function that logs, may be told to fail, refuses with `refusal` if that is not 0, else does `action`. */
#define ANSWERS(name, parameters, refusal, ...)                                                                        \
    API int name parameters {                                                                                          \
        int result = shim_enter(#name, COUNTED(calls));                                                                \
        if (!result && !(result = (refusal))) {                                                                        \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
        return shim_leave(#name, result);                                                                              \
    }

/* The same for a function that is called at every launch: only its first success is worth a line. */
#define ANSWERS_OFTEN(name, parameters, refusal, ...)                                                                  \
    API int name parameters {                                                                                          \
        int nth = COUNTED(calls);                                                                                      \
        int result = shim_enter(#name, nth);                                                                           \
        if (!result && !(result = (refusal))) {                                                                        \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
        return result || nth == 1 ? shim_leave(#name, result) : result;                                                \
    }
#endif
