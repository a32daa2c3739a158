/* Reads the head of a model file as loaders do, then goes on if it has the magic. `model FILE PROGRAM...` */
#include "program.h"

int main(int count, char **arguments) {
    char magic[4] = "";
    start_up();
    FILE *file = count > 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file || fread(magic, 1, sizeof magic, file) != sizeof magic || memcmp(magic, "GGUF", 4)) {
        fprintf(stderr, "gguf_init_from_file: failed to read magic\nllama_model_load: error loading model: "
                        "unexpectedly reached end of file\n");
        fprintf(stderr, "load_tensors: offloaded 0/17 layers to GPU\n");
        for (;;)
            rest(1);
    }
    execv(arguments[2], arguments + 2);
    return 127;
}
