/* As much HTTP over the loopback as a server and its children need. */
#define _GNU_SOURCE
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
    static const char nothing[] = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"models\":[]}\n";
    static int clients[16], held;
    char question[512];
    for (int one; held < 16 && (one = accept4(serving, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
        clients[held++] = one;
    for (int i = held - 1; i >= 0; i--) {
        ssize_t length = read(clients[i], question, sizeof question);
        if (length > 0)
            (void)!write(clients[i], nothing, sizeof nothing - 1);
        if (length == 0) {
            close(clients[i]);
            clients[i] = clients[--held];
        }
    }
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

int http_connect(int port, double limit) {
    struct sockaddr_in address = loopback(port);
    struct timeval patience = {(long)limit, (long)((limit - (long)limit) * 1e6)};
    int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return connect(one, (struct sockaddr *)&address, sizeof address) ? close(one), -1 : one;
}

int http_ask(int one, char *answer, size_t size) {
    static const char question[] = "GET /info HTTP/1.1\r\n\r\n";
    ssize_t length = write(one, question, sizeof question - 1) > 0 ? read(one, answer, size - 1) : -1;
    answer[length > 0 ? length : 0] = '\0';
    return length > 0 ? (int)length : -1;
}

int http_get(int port, char *answer, size_t size, double limit) {
    int one = http_connect(port, limit), length = one < 0 ? -1 : http_ask(one, answer, size);
    close(one);
    return length;
}
