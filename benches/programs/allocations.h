/* allocations.h: the loops over an allocator, for the programs that run one of them and for turns, which runs them over two
 * allocators. Each frees what it has made. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include "bench.h"

struct allocator {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
};

/* What the program is bound to. Known when compiled, so that it is called as any program calls it. */
static const struct allocator bound = {malloc, realloc, free};

#define LIVE 10000

/* malloc and free of one block at a time, the fastest path there is. */
static inline void lifo(const struct allocator *with, long pairs) {
    for (long i = 0; i < pairs; i++) {
        with->free(bench_hide(with->malloc(16 + (size_t)(i & 15) * 16)));
    }
}

/* LIVE blocks of 16 to 1,024 bytes (uniform); each step frees one at random and allocates another in its place. */
static inline void random_replacement(const struct allocator *with, long steps, uint64_t *state) {
    static char *blocks[LIVE];
    for (long i = 0; i < LIVE; i++) {
        blocks[i] = (char *)with->malloc(16 + (size_t)(bench_random(state) % 1009));
        blocks[i][0] = 1;
    }
    for (long i = 0; i < steps; i++) {
        uint64_t random = bench_random(state);
        size_t slot = (size_t)(random >> 32) % LIVE;
        with->free(blocks[slot]);
        blocks[slot] = (char *)with->malloc(16 + (size_t)((uint32_t)random % 1009));
        blocks[slot][0] = 1;
    }
    for (long i = 0; i < LIVE; i++) {
        with->free(blocks[i]);
    }
}

/* Buffers that grow from 16 bytes to 64 KiB by a quarter each time and are then freed. Gives the number of calls. */
static inline long realloc_growth(const struct allocator *with, long buffers) {
    long calls = 0;
    for (long i = 0; i < buffers; i++) {
        char *buffer = (char *)with->malloc(16);
        for (size_t size = 16; size < 65536; size += size / 4) {
            buffer = (char *)with->realloc(buffer, size);
            buffer[size - 1] = 1;
            calls++;
        }
        with->free(bench_hide(buffer));
        calls += 2;
    }
    return calls;
}

#endif
