/* A launch-bound loop: SECONDS long, `work` of some 11 us and nine calls of the driver each turn; prints when each stretch began and turns a second
 * of processor time, which does not count what other programs take.
 *
 * What PyTorch does with tiny kernels: 85,000 launches a second, cuCtxGetDevice six times, two states, one launch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int hot(int), calm(int), stride(int);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double processor(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    double seconds = atof(argv[argc - 1]);
    for (;;) {
        double begun = now(), used = processor(), until = begun + seconds;
        long turns = 0;
        volatile double x = 1;
        while (now() < until) {
            for (int i = 0; i < 6; i++) hot(i);
            calm(1), calm(2), stride(3);
            for (int i = 0; i < 4600; i++) x = x * 1.0000001;
            turns++;
        }
        printf("%.6f %.0f\n", begun, turns / (processor() - used));
        fflush(stdout);
    }
}
