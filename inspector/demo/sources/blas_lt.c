/* The part of cuBLAS that cuBLAS itself needs. */
#include "shim.h"

API int cublasLtCreate(void **handle) {
    static int only;
    *handle = &only;
    return 0;
}
