/* What a program and a GPU backend library say to each other. */
#include <stddef.h>

struct backend {
    int devices;
    int major, minor;
    int driver;
    size_t total, available;
    char name[256];
    int (*compute)(int rounds); /* allocates once, then launches `rounds` times; 0 or the first error */
};

struct backend *ggml_backend_init(void);
