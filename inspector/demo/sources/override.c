/* What shims override in libc although they are meant for GPU calls; each as found in real ones.
 *
 * -DLOADING   dlopen and dlsym; the real dlsym is asked for through itself, so every answer is NULL, without an error
 * text -DREADING   fread, which has no real fread to call and reads nothing -DFAULTY    read, which follows a NULL
 * pointer
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

#ifdef LOADING
typedef void *(*look_up)(void *, const char *);
void *dlsym(void *library, const char *name) {
    static look_up real;
    static int looking;
    if (!real) {
        if (looking)
            return NULL;
        looking = 1;
        real = (look_up)dlsym(RTLD_NEXT, "dlsym");
        looking = 0;
    }
    return real ? real(library, name) : NULL;
}
void *dlopen(const char *file, int mode) {
    void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return real ? real(file, mode) : NULL;
}
#endif

#ifdef READING
size_t fread(void *to, size_t size, size_t count, FILE *file) {
    static size_t (*real)(void *, size_t, size_t, FILE *);
    return real ? real(to, size, count, file) : 0;
}
#endif

#ifdef FAULTY
ssize_t read(int descriptor, void *to, size_t size) {
    static const char *volatile *caller;
    return caller[descriptor] == to ? 0 : (ssize_t)size;
}
#endif
