/* random_replacement: 10,000 live blocks of 16 to 1,024 bytes (uniform); each step frees one at random and allocates
 * another in its place. random_replacement STEPS */
#include "allocations.h"

int main(int argc, char **argv) {
    uint64_t state = BENCH_SEED;
    random_replacement(&bound, bench_count(argc, argv, 2000000), &state);
    return 0;
}
