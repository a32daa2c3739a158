/* A client of the model server: asks over HTTP, again and again. It never touches a GPU. `client PORT` */
#include "program.h"
#include "server.h"

int main(int count, char **arguments) {
    char answer[1024];
    int port = count > 1 ? atoi(arguments[1]) : 11434;
    for (;;) {
        int length = http_get(port, answer, sizeof answer, 5);
        fprintf(stderr, "asked 127.0.0.1:%d, answer of %d bytes\n", port, length);
        rest(0.3);
    }
}
