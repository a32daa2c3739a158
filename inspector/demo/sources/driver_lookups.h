/* How the runtime finds the driver's functions: cuGetProcAddress by public name, cuGetExportTable by id. */

#define AT(asked, function) {asked, (void *)function}
#define AS_IS(function) AT(#function, function)
static const struct {
    const char *asked;
    void *address;
} offered[] = {
    AS_IS(cuInit),
    AS_IS(cuDriverGetVersion),
    AS_IS(cuModuleGetLoadingMode),
    AS_IS(cuGetErrorString),
    AS_IS(cuGetErrorName),
    AS_IS(cuDeviceGetCount),
    AS_IS(cuDeviceGet),
    AS_IS(cuDeviceGetName),
    AT("cuDeviceTotalMem", cuDeviceTotalMem_v2),
    AT("cuDeviceGetUuid", cuDeviceGetUuid_v2),
    AS_IS(cuDeviceGetLuid),
    AS_IS(cuDeviceGetPCIBusId),
    AS_IS(cuDeviceGetAttribute),
    AS_IS(cuDevicePrimaryCtxRetain),
    AT("cuDevicePrimaryCtxRelease", cuDevicePrimaryCtxRelease_v2),
    AS_IS(cuDevicePrimaryCtxGetState),
    AT("cuDevicePrimaryCtxSetFlags", cuDevicePrimaryCtxSetFlags_v2),
    AT("cuCtxCreate", cuCtxCreate_v2),
    AT("cuCtxDestroy", cuCtxDestroy_v2),
    AS_IS(cuCtxSetCurrent),
    AS_IS(cuCtxGetCurrent),
    AT("cuCtxPushCurrent", cuCtxPushCurrent_v2),
    AT("cuCtxPopCurrent", cuCtxPopCurrent_v2),
    AS_IS(cuCtxGetDevice),
    AS_IS(cuCtxGetFlags),
    AS_IS(cuCtxSynchronize),
    AT("cuMemGetInfo", cuMemGetInfo_v2),
    AT("cuMemAlloc", cuMemAlloc_v2),
    AT("cuMemFree", cuMemFree_v2),
    AT("cuMemcpyHtoD", cuMemcpyHtoD_v2),
    AT("cuMemcpyDtoH", cuMemcpyDtoH_v2),
    AT("cuMemsetD8", cuMemsetD8_v2),
    AS_IS(cuModuleLoadData),
    AS_IS(cuModuleGetFunction),
    AS_IS(cuModuleUnload),
    AS_IS(cuLibraryLoadData),
    AS_IS(cuLibraryGetModule),
    AS_IS(cuLibraryGetKernel),
    AS_IS(cuLibraryUnload),
    AS_IS(cuFuncGetParamInfo),
    AS_IS(cuStreamCreate),
    AS_IS(cuStreamSynchronize),
    AT("cuStreamDestroy", cuStreamDestroy_v2),
    AS_IS(cuEventCreate),
    AS_IS(cuEventRecord),
    AT("cuEventDestroy", cuEventDestroy_v2),
    AS_IS(cuLaunchKernel),
};

API int cuGetProcAddress_v2(const char *, void **, int, uint64_t, int *);
API int cuGetExportTable(const void **, const unsigned char *);

/* Names that this shim does not have: asked for by every runtime, harmless until called. */
static int not_here(void) {
    shim_log("[" LABEL "] unknown function CALLED -> CUDA_ERROR_NOT_SUPPORTED (pid=%d)", getpid());
    return NOT_SUPPORTED;
}

API int cuGetProcAddress(const char *name, void **address, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, address, version, flags, NULL);
}

API int cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *status) {
    int result = shim_enter("cuGetProcAddress_v2", COUNTED(calls));
    (void)flags;
    if (!result) {
        *address = (void *)not_here;
        if (!strcmp(name, "cuGetProcAddress"))
            *address = version >= 12000 ? (void *)cuGetProcAddress_v2 : (void *)cuGetProcAddress;
        if (!strcmp(name, "cuGetExportTable"))
            *address = (void *)cuGetExportTable;
        for (size_t i = 0; i < sizeof offered / sizeof *offered; i++)
            if (!strcmp(name, offered[i].asked))
                *address = offered[i].address;
        if (shim_told(getenv("SHIM_NULL"), name))
            *address = NULL;
        if (status)
            *status = 0;
    }
    shim_says("name=%.60s, version=%d", name, version);
    return shim_leave("cuGetProcAddress_v2", result);
}

/* Private tables; the first word is the size. NVIDIA's runtime gives up without the first four, and gives up all the
 * same (500) because the fifth, D4082055, is its test that the driver is NVIDIA's own: that one is refused here. */
static int table_answer(void) { return 0; }
static int table_context(handle *context) { return *context = 0x5001, 0; }
static int table_space(void **space, size_t *size) {
    static char room[4096];
    return *space = room, *size = sizeof room / sizeof(void *), 0;
}
static const struct {
    unsigned char id[16];
    void *functions[16];
} tables[] = {
    {{0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9},
     {(void *)128, table_answer, table_context, [3 ... 15] = table_answer}}, /* the runtime's interface */
    {{0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66},
     {(void *)56, table_answer, table_space, [3 ... 5] = table_answer, table_space}}, /* hooks of tools */
    {{0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc},
     {(void *)128, [1 ... 15] = table_answer}}, /* thread-local storage */
    {{0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93},
     {(void *)128, [1 ... 15] = table_answer}}, /* context-local storage */
};

API int cuGetExportTable(const void **table, const unsigned char *id) {
    int result = shim_enter("cuGetExportTable", COUNTED(calls));
    if (!result) {
        *table = NULL;
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
            if (!memcmp(id, tables[i].id, 16) && strcmp(shim_setting("SHIM_TABLES", ""), "none") != 0)
                *table = tables[i].functions;
        result = *table ? 0 : NOT_FOUND;
    }
    shim_says("table=%02X%02X%02X%02X", id[0], id[1], id[2], id[3]);
    return shim_leave("cuGetExportTable", result);
}
