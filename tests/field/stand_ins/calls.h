/* Each call of a stand-in is noted in the file that FIELD_CALLS names, before anything else is done: "PID FUNCTION". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void note(const char *function) {
    static int file = -1;
    char line[128];
    const char *path = getenv("FIELD_CALLS");
    if (file < 0 && path) file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    int size = snprintf(line, sizeof line, "%d %s\n", getpid(), function);
    if (file >= 0 && write(file, line, size) != size) abort();
}
