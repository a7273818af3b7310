/* realloc_growth: buffers that grow from 16 bytes to 64 KiB by a quarter each time and are then freed. realloc_growth BUFFERS */
#include "bench.h"

int main(int argc, char **argv) {
    long buffers = bench_count(argc, argv, 50000);
    for (long i = 0; i < buffers; i++) {
        char *buffer = (char *)malloc(16);
        for (size_t size = 16; size < 65536; size += size / 4) {
            buffer = (char *)realloc(buffer, size);
            buffer[size - 1] = 1;
        }
        free(bench_hide(buffer));
    }
    return 0;
}
