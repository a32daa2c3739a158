/* A library under counting: what a driver's API looks like to a probe. */
#include <string.h>
#include <unistd.h>

#define API __attribute__((visibility("default"), noinline))

/* Begins with the kind of instruction that the kernel emulates; LOCKED with one that no kernel can probe. */
#ifdef __aarch64__
#define PUSH __asm__ volatile("b 1f; 1:" ::: "memory")
#define LOCKED "ldaxr w1, [x0]; add w1, w1, #1; stlxr w2, w1, [x0]; mov w0, #5; ret"
#else
#define PUSH __asm__ volatile("push %%rbx; pop %%rbx" ::: "memory")
#define LOCKED "lock incl (%rdi); mov $5, %eax; ret"
#endif

API int stride(int x) { PUSH; return x + 1; }
API int hot(int x) { PUSH; return x; }
API int calm(int x) { PUSH; return x; }

/* int status, out-value behind the first argument, name behind the second. */
API int fill(int *value, const char *name) { PUSH; *value = (int)strlen(name); return 7; }
API int refuse(int *value) { PUSH; *value = 0; return 100; }
API int slow(int microseconds) { PUSH; usleep(microseconds); return 0; }
API int outer(int *value, const char *name) { PUSH; return fill(value, name) + 1; }
API int nested(int depth) { PUSH; return depth ? nested(depth - 1) : 0; }

/* What a callback throws passes through it. */
API int relay(int (*callback)(int), int x) { PUSH; return callback(x) + 1; }

/* GCC has naked functions on x86-64 only. */
API int locked(int *value);
__asm__(".text; .balign 4; .globl locked; .type locked, %function; locked: " LOCKED "; .size locked, .-locked");

__attribute__((constructor)) static void greet(void) { int value; fill(&value, "constructor"); }
