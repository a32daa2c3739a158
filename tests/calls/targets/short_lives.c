/* short_lives COUNT NOTES LIBRARY: as many short lives of itself, born in every way, six at a time: each calls functions
 * of a library 20 times, notes "PID 20" in NOTES, and ends as quickly as it can. The library is preloaded into every
 * second, and opened by the others. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 20, MOST = 6 };
static char **word;

static void *life(void *preloaded) {
    static const char *names[] = {"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet"};
    void *library = *(int *)preloaded ? RTLD_DEFAULT : dlopen(word[3], RTLD_NOW);
    for (int i = 0; i < CALLS; i++) ((int (*)(void))dlsym(library, names[i % 4]))();
    char line[64];
    int size = snprintf(line, sizeof line, "%d %d\n", getpid(), CALLS);
    int notes = open(word[2], O_WRONLY | O_APPEND);
    if (write(notes, line, size) != size) abort();
    return NULL;
}

/* life:WAY:PRELOADED */
static int live(const char *how) {
    int preloaded = how[7] == '1';
    pthread_t thread;
    char again[] = "life:.:.";
    char *words[] = {word[0], again, word[2], word[3], NULL};
    switch (how[5]) {
    case 'a': life(&preloaded); kill(getpid(), SIGKILL); break;
    case 'b': life(&preloaded); syscall(SYS_exit_group, 3); break;
    case 'c': pthread_create(&thread, NULL, life, &preloaded); pthread_join(thread, NULL); break;
    case 'd': if (!fork()) preloaded *= 1; life(&preloaded); _exit(0);
    case 'e': again[5] = 'b', again[7] = how[7]; execv("/proc/self/exe", words); break;
    }
    return 0;
}

int main(int count, char **words) {
    extern char **environ;
    word = words;
    if (!strncmp(words[1], "life:", 5)) return live(words[1]);
    char preload[4096], how[] = "life:.:.";
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", words[3]);
    char *with[] = {preload, NULL}, *without[] = {NULL}, *child[] = {words[0], how, words[2], words[3], NULL};
    struct timespec pause = {0, 10 * 1000 * 1000};
    for (int i = 0, lives = 0; i < atoi(words[1]); i++) {
        pid_t pid;
        how[5] = "abcde"[i % 5], how[7] = "01"[i / 5 % 2];
        char **environment = how[7] == '1' ? with : without;
        if (i % 3) posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, environment);
        else if (!fork()) { execve("/proc/self/exe", child, environment); _exit(9); }
        nanosleep(&pause, NULL);
        if (++lives >= MOST) wait(NULL), lives--;
    }
    while (wait(NULL) > 0) {}
    return 0;
}
