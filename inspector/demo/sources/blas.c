/* A cuBLAS as small as possible: a handle and one multiplication that does nothing. Needs libcublasLt.so.12. */
#include "shim.h"

extern int cublasLtCreate(void **);
API int cublasCreate_v2(void **handle) { return cublasLtCreate(handle); }
API int cublasDestroy_v2(void *handle) { return handle ? 0 : 1; }
API int cublasGemmEx(void *handle) { return handle ? 0 : 1; }
API const char *cublasGetStatusString(int status) {
    return status ? "CUBLAS_STATUS_NOT_INITIALIZED" : "CUBLAS_STATUS_SUCCESS";
}
