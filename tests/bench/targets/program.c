/* A program over the driver:
 *
 * launches            six, two and one calls a launch and 11 us of work, as a launch-bound PyTorch loop; prints the
 *                     launches a second of its own CPU time for each half second, with the moment at which it began
 * beats MILLISECONDS  cuDeviceGetCount with another result each time; prints the result and the moment of the call
 * calls PER_SECOND    cuCtxGetDevice_v2, in a hundred bursts a second; prints what the calls of each second took in ns
 * logs PER_SECOND     lines into the file that is named behind it, in a hundred bursts a second
 * births PER_SECOND   children that execute this program and end at once, in a hundred bursts a second
 * children COUNT      that many children which wait for their parent's end
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int cuInit(unsigned), cuCtxGetDevice_v2(int *), cuDevicePrimaryCtxGetState(int, unsigned *, int *);
int cuLaunchKernel(void *), cuDeviceGetCount(int *);

static double clock_of(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

/* Until the burst of a second that comes next. */
static void rest(double end, int burst) {
    double left = end - now() - (99 - burst) * 0.01;
    if (left > 0) usleep(left * 1e6);
}

static void launches(void) {
    int device, active;
    unsigned flags;
    volatile double x = 1;
    for (;;) {
        double begun = now(), used = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        long turns = 0;
        for (; now() < begun + 0.5; turns++) {
            for (int i = 0; i < 6; i++) cuCtxGetDevice_v2(&device);
            for (int i = 0; i < 2; i++) cuDevicePrimaryCtxGetState(0, &flags, &active);
            cuLaunchKernel(NULL);
            for (int i = 0; i < 4600; i++) x = x * 1.0000001;
        }
        printf("%.6f %.0f\n", begun, turns / (clock_of(CLOCK_PROCESS_CPUTIME_ID) - used));
    }
}

static void beats(int milliseconds) {
    for (int count = 30001;; count++) {
        usleep(milliseconds * 1000);
        printf("%d %.6f\n", count, now());
        cuDeviceGetCount(&count);
    }
}

static void births(long per_second, const char *self) {
    signal(SIGCHLD, SIG_IGN);
    for (long owed = 0;;) {
        double end = now() + 1;
        for (int burst = 0; burst < 100; burst++) {
            for (owed += per_second; owed >= 100; owed -= 100)
                if (fork() == 0) {
                    execl(self, self, "end", NULL);
                    _exit(1);
                }
            rest(end, burst);
        }
    }
}

static void calls(long per_second) {
    int device;
    for (;;) {
        double spent = 0, end = now() + 1;
        for (int burst = 0; burst < 100; burst++) {
            double begun = now();
            for (long i = 0; i < per_second / 100; i++) cuCtxGetDevice_v2(&device);
            spent += now() - begun;
            rest(end, burst);
        }
        printf("%.1f\n", spent * 1e9 / per_second);
    }
}

static void logs(long per_second, const char *path) {
    FILE *log = fopen(path, "a");
    for (long n = 0;;) {
        double end = now() + 1;
        for (int burst = 0; burst < 100; burst++) {
            for (long i = 0; i < per_second / 100 || (per_second < 100 && i == 0 && burst % (100 / per_second) == 0); i++)
                fprintf(log, "time=2026-01-02T03:04:05.678Z level=DEBUG msg=\"line of a flood\" n=%ld\n", n++);
            fflush(log);
            rest(end, burst);
        }
    }
}

static void children(int count) {
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) pause();
        }
    printf("%d\n", count);
    for (;;) pause();
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    cuInit(0);
    int number = argc > 2 ? atoi(argv[2]) : 0;
    if (argc > 1 && !strcmp(argv[1], "launches")) launches();
    if (argc > 1 && !strcmp(argv[1], "beats")) beats(number);
    if (argc > 1 && !strcmp(argv[1], "calls")) calls(number);
    if (argc > 1 && !strcmp(argv[1], "children")) children(number);
    if (argc > 1 && !strcmp(argv[1], "births")) births(number, argv[0]);
    if (argc > 1 && !strcmp(argv[1], "end")) return 0;
    if (argc > 3 && !strcmp(argv[1], "logs")) logs(number, argv[3]);
    return 2;
}
