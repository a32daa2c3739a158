/* The rooms of the server: the child that talks to the GPU, and the little HTTP between the two. */
#include <stddef.h>

int run_runner(int count, char **arguments);

/* A TCP port of 127.0.0.1 that is free now. */
int free_port(void);
/* Listen on 127.0.0.1 (0: any port); the port. */
int serve_port(int port);
/* Answer what clients asked since the last time. */
void answer_clients(void);
/* Wait for one question, then give its connection; -1 on failure. */
int accept_question(int port);
/* A connection, -1 when nobody listens there; a question that is not answered within `limit` seconds fails. */
int http_connect(int port, double limit);
/* GET over a connection; length of the answer, or -1. */
int http_ask(int connection, char *answer, size_t size);
/* GET from a child; length of the answer, -1 when nobody listens there, it hung up or the limit is over. */
int http_get(int port, char *answer, size_t size, double limit);
