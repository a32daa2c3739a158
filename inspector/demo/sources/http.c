/* As much HTTP over the loopback as a server and its children need. */
#include "server.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int serving = -1;

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int port) {
    struct sockaddr_in address = loopback(port);
    int yes = 1, one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(one, (struct sockaddr *)&address, sizeof address) ? close(one), -1 : one;
}

static int port_of(int one) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    return getsockname(one, (struct sockaddr *)&address, &size) ? -1 : ntohs(address.sin_port);
}

int free_port(void) {
    int one = bound(0), port = port_of(one);
    close(one);
    return port;
}

int serve_port(int port) {
    serving = bound(port);
    listen(serving, 8);
    fcntl(serving, F_SETFL, O_NONBLOCK);
    return port_of(serving);
}

void answer_clients(void) {
    static const char nothing[] = "HTTP/1.0 200 OK\r\n\r\n{\"models\":[]}\n";
    char question[512];
    for (int one; (one = accept(serving, NULL, NULL)) >= 0; close(one))
        if (read(one, question, sizeof question) > 0)
            (void)!write(one, nothing, sizeof nothing - 1);
}

int accept_question(int port) {
    char question[512];
    int listening = bound(port);
    if (listening < 0 || listen(listening, 1))
        return -1;
    int one = accept(listening, NULL, NULL);
    close(listening);
    return one >= 0 && read(one, question, sizeof question) > 0 ? one : -1;
}

int http_get(int port, char *answer, size_t size, double limit) {
    static const char question[] = "GET /info HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = loopback(port);
    struct timeval patience = {(long)limit, (long)((limit - (long)limit) * 1e6)};
    int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t length = -1;
    setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!connect(one, (struct sockaddr *)&address, sizeof address) && write(one, question, sizeof question - 1) > 0)
        length = read(one, answer, size - 1);
    close(one);
    answer[length > 0 ? length : 0] = '\0';
    return length > 0 ? (int)length : -1;
}
