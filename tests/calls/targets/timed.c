/* Calls of the watched library, timed: reads a line `FUNCTION COUNT` and answers with ns a call (best of five). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int calm(int), refuse(int *);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Frames between the call and main, as real programs have them. */
static __attribute__((noinline)) int layer(int depth, int counted, long count) {
    if (depth) return layer(depth - 1, counted, count) + 1;
    int value;
    for (long i = 0; i < count; i++) counted ? calm(1) : refuse(&value);
    return 0;
}

int main(void) {
    char function[32];
    long count;
    while (scanf("%31s %ld", function, &count) == 2) {
        double best = 1e18;
        for (int run = 0; run < 5; run++) {
            double begun = now();
            layer(6, !strcmp(function, "calm"), count);
            double taken = (now() - begun) / count;
            if (taken < best) best = taken;
        }
        printf("%.2f\n", best);
        fflush(stdout);
    }
    return 0;
}
