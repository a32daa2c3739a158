/* Asks the driver by name. */
typedef struct { unsigned char bytes[16]; } Id;

int cuGetProcAddress_v2(const char *, void **, int, unsigned long, int *);
int cuGetExportTable(const void **, const Id *);

int main(void) {
    void *answer;
    const void *table;
    int status;
    Id id = {{0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9}};
    cuGetProcAddress_v2("cuInit", &answer, 12000, 0, &status);
    cuGetProcAddress_v2("cuNothing", &answer, 12000, 0, &status);
    return cuGetExportTable(&table, &id) != 200;
}
