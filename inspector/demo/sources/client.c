/* A client of the model server: asks over one HTTP connection, again and again. It never touches a GPU. `client PORT`
 */
#include "program.h"
#include "server.h"

int main(int count, char **arguments) {
    char answer[1024];
    int port = count > 1 ? atoi(arguments[1]) : 11434;
    int connection = http_connect(port, 5);
    for (;;) {
        int length = http_ask(connection, answer, sizeof answer);
        fprintf(stderr, "asked 127.0.0.1:%d, answer of %d bytes\n", port, length);
        rest(0.3);
    }
}
