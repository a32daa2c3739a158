/* Starts a program that sees another file tree than everybody else, in a mount namespace of its own (needs root):
 * `view etc DIR PROGRAM...`   DIR stands where /etc is
 * `view hide DIR PROGRAM...`  DIR is empty
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 4 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
        perror("view");
        return 125;
    }
    int hide = !strcmp(arguments[1], "hide");
    if (hide ? mount("none", arguments[2], "tmpfs", 0, "size=4k") : mount(arguments[2], "/etc", NULL, MS_BIND, NULL)) {
        perror(arguments[2]);
        return 125;
    }
    execv(arguments[3], arguments + 3);
    return 127;
}
