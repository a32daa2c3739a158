/* A driver that answers by name. */
#include <stddef.h>
#include <string.h>

#define API __attribute__((visibility("default")))

typedef struct { unsigned char bytes[16]; } Id;

API int cuInit(unsigned flags) { return (int)flags; }

API int cuGetProcAddress_v2(const char *name, void **answer, int version, unsigned long flags, int *status) {
    (void)version, (void)flags;
    *answer = strcmp(name, "cuInit") ? NULL : (void *)cuInit;
    *status = *answer ? 0 : 1;
    return *answer ? 0 : 500;
}

API int cuGetExportTable(const void **table, const Id *id) {
    *table = NULL;
    return id->bytes[0] == 0x6b ? 200 : 1;
}
