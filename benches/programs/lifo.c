/* lifo: malloc and free of one block at a time, the fastest path there is. lifo PAIRS */
#include "bench.h"

int main(int argc, char **argv) {
    long pairs = bench_count(argc, argv, 10000000);
    for (long i = 0; i < pairs; i++) {
        free(bench_hide(malloc(16 + (size_t)(i & 15) * 16)));
    }
    return 0;
}
