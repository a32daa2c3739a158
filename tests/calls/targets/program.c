/* A target that does what its arguments say, one after the other, and prints what came of it.
 *
 * calls:THREADS:COUNT  each thread calls stride() COUNT times and checks each result
 * children:N:COUNT     N children, one after the other, each calls stride() COUNT times
 * hot:SECONDS          calls hot() in a loop, calm() once in a million
 * fill:COUNT refuse:COUNT outer:COUNT nested:DEPTH locked:COUNT slow:MICROSECONDS
 * stuck                a thread dies inside slow()
 * jump                 leaves slow() by longjmp from a signal handler
 * left:MICROSECONDS    leaves slow() the same way and then sleeps
 * dies                 dies by SIGSEGV inside slow()
 * wait                 reads one line
 * exec:...             runs itself anew with the rest of the arguments
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int stride(int), hot(int), calm(int), fill(int *, const char *), refuse(int *), slow(int), outer(int *, const char *);
int nested(int), locked(int *);

static long wrong;

static void check(int is, int should) { if (is != should) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void *steps(void *count) {
    for (long i = 0; i < (long)count; i++) check(stride(i), i + 1);
    return NULL;
}

static void calls(int threads, long count) {
    pthread_t thread[64];
    for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, steps, (void *)count);
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
}

static void children(int number, long count) {
    for (int i = 0; i < number; i++) {
        pid_t child = fork();
        if (child == 0) { wrong = 0; steps((void *)count); _exit(wrong != 0); }
        int status;
        waitpid(child, &status, 0);
        check(status, 0);
    }
}

static void spin(double seconds) {
    double end = now() + seconds;
    long n = 0;
    while (now() < end)
        for (int i = 0; i < 1000; i++, n++) { check(hot(i), i); if (n % 1000000 == 0) check(calm(i), i); }
    printf("hot %ld\ncalm %ld\n", n, (n + 999999) / 1000000);
}

static void calms(double seconds) {
    double end = now() + seconds;
    int value = 0;
    for (;; usleep(now() < end ? 100 : 10000)) check(refuse(&value), 100);
}

static void *sleeper(void *unused) { slow(60 * 1000 * 1000); return unused; }

static void stuck(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, sleeper, NULL);
    usleep(300 * 1000);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    usleep(300 * 1000);
}

static jmp_buf place;
static void leave(int signal) { (void)signal; siglongjmp(place, 1); }

static void jump(void) {
    signal(SIGALRM, leave);
    if (sigsetjmp(place, 1) == 0) { ualarm(20000, 0); slow(10 * 1000 * 1000); }
    check(slow(1), 0);
}

static void left(long microseconds) {
    signal(SIGALRM, leave);
    if (sigsetjmp(place, 1) == 0) { ualarm(20000, 0); slow(10 * 1000 * 1000); }
    usleep(microseconds);
}

static void crash(int signal) { (void)signal; raise(SIGSEGV); }
static void dies(void) { signal(SIGALRM, crash); ualarm(20000, 0); slow(5 * 1000 * 1000); }

static void act(char *action, char **rest) {
    char *what = strtok(action, ":"), *a = strtok(NULL, ":"), *b = strtok(NULL, ":");
    long n = a ? atol(a) : 0, m = b ? atol(b) : 0;
    int value = 0;
    if (!strcmp(what, "calls")) calls(n, m);
    else if (!strcmp(what, "children")) children(n, m);
    else if (!strcmp(what, "hot")) spin(atof(a));
    else if (!strcmp(what, "fill")) while (n--) { check(fill(&value, "four"), 7); check(value, 4); }
    else if (!strcmp(what, "refuse")) while (n--) check(refuse(&value), 100);
    else if (!strcmp(what, "calms")) calms(atof(a));
    else if (!strcmp(what, "outer")) while (n--) check(outer(&value, "outer"), 8);
    else if (!strcmp(what, "locked")) while (n--) check(locked(&value), 5);
    else if (!strcmp(what, "nested")) check(nested(n), 0);
    else if (!strcmp(what, "slow")) check(slow(n), 0);
    else if (!strcmp(what, "stuck")) stuck();
    else if (!strcmp(what, "jump")) jump();
    else if (!strcmp(what, "left")) left(n);
    else if (!strcmp(what, "dies")) dies();
    else if (!strcmp(what, "wait")) { char line[8]; if (!fgets(line, sizeof line, stdin)) exit(9); }
    else if (!strcmp(what, "exec")) { fflush(stdout); execv("/proc/self/exe", rest); }
    else exit(8);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) { act(argv[i], argv + i); fflush(stdout); }
    printf("wrong %ld\n", wrong);
    return wrong != 0;
}
