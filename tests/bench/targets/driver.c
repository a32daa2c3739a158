/* A driver as shims are: the calls that a launch makes, answered at once, and two that a test can read. */
#define API __attribute__((visibility("default"), noinline))
/* Begins with a push, as 676 of 682 exports of a real driver do. */
#define PUSH __asm__ volatile("push %%rbx; pop %%rbx" ::: "memory")

API int cuInit(unsigned flags) { PUSH; return (int)flags; }
API int cuCtxGetDevice_v2(int *device) { PUSH; *device = 0; return 0; }
API int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { PUSH; *flags = 0; *active = 1; return device; }
API int cuLaunchKernel(void *function) { PUSH; return function != 0; }

/* Its result is its argument, so that each call can be told from all others on a screen. */
API int cuDeviceGetCount(int *count) { PUSH; return *count; }
