/* Waits until somebody looks: reads one byte from a descriptor, then becomes the program with exactly the environment
 * that is named: `gate DESCRIPTOR KEY=VALUE... -- PROGRAM ARGUMENT...`. An end of file instead of a byte ends it, and
 * so does the end of whoever started it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char **arguments) {
    char go;
    int cut = 2, descriptor = count > 1 ? atoi(arguments[1]) : -1;
    while (cut < count && strcmp(arguments[cut], "--"))
        cut++;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cut + 1 >= count || read(descriptor, &go, 1) != 1)
        return 125;
    close(descriptor);
    arguments[cut] = NULL;
    execve(arguments[cut + 1], arguments + cut + 1, arguments + 2);
    return 127;
}
