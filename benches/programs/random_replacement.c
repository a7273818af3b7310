/* random_replacement: 10,000 live blocks of 16 to 1,024 bytes (uniform); each step frees one at random and allocates
 * another in its place. random_replacement STEPS */
#include "bench.h"

#define LIVE 10000

int main(int argc, char **argv) {
    static char *blocks[LIVE];
    long steps = bench_count(argc, argv, 2000000);
    uint64_t state = 88172645463325252U;
    for (long i = 0; i < LIVE; i++) {
        blocks[i] = (char *)malloc(16 + (size_t)(bench_random(&state) % 1009));
        blocks[i][0] = 1;
    }
    for (long i = 0; i < steps; i++) {
        uint64_t random = bench_random(&state);
        size_t slot = (size_t)(random >> 32) % LIVE;
        free(blocks[slot]);
        blocks[slot] = (char *)malloc(16 + (size_t)((uint32_t)random % 1009));
        blocks[slot][0] = 1;
    }
    for (long i = 0; i < LIVE; i++) {
        free(blocks[i]);
    }
    return 0;
}
