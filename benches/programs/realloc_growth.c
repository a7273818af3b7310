/* realloc_growth: buffers that grow from 16 bytes to 64 KiB by a quarter each time and are then freed. realloc_growth BUFFERS */
#include "allocations.h"

int main(int argc, char **argv) {
    realloc_growth(&bound, bench_count(argc, argv, 50000));
    return 0;
}
