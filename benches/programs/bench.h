/* bench.h: a fast random generator and a way to hide blocks from the optimiser, for the benchmark programs. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where sequences begin, so that runs repeat. */
#define BENCH_SEED 88172645463325252U

/* xorshift64: a few instructions, so that what is measured is the allocator. */
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

/* The optimiser must assume that the block is used. */
static inline void *bench_hide(void *block) {
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* The first argument as a number, else `otherwise`. */
static inline long bench_count(int argc, char **argv, long otherwise) {
    long count = argc > 1 ? atol(argv[1]) : otherwise;
    return count > 0 ? count : otherwise;
}

#endif
