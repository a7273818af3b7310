/* chaos.h: what all parts of chaos share: its seed, a worker's state, random choices, and the one line that ends a run.
 *
 * In: the command line. Out: reproducible choices, one stream of them for each worker.
 */
#ifndef CHAOS_H
#define CHAOS_H

#include "target.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>

#define CHAOS_KEPT_BLOCKS 64
#define CHAOS_KEPT_FDS 12
/* Descriptor numbers from here on are handed to the workers, so many each; everything else stays below. */
#define CHAOS_RESERVED_FDS 640
#define CHAOS_RESERVED_EACH 32
/* The number of a child that found everything in order. */
#define CHAOS_CHILD_GOOD 40

struct chaos_block;

/* A worker, or a short-lived thread with the state of one. */
struct chaos {
    uint64_t random;
    int number;
    struct chaos_block *blocks[CHAOS_KEPT_BLOCKS];
    int fds[CHAOS_KEPT_FDS];
    int reserved;
    sigjmp_buf again;
    volatile sig_atomic_t may_jump;
    volatile long jumps;
};

static uint64_t chaos_seed;
/* The state of the calling thread, for signal handlers; none in threads that are not workers. */
static __thread struct chaos *chaos_self;
/* Held while the environment is changed or copied into a child. */
static pthread_mutex_t chaos_environment = PTHREAD_MUTEX_INITIALIZER;
static char chaos_program[4096];

/* Ends the process with 1 and says why: from the parent on behalf of a child, too. */
#define chaos_check(condition, what) \
    do { \
        if (!(condition)) { \
            chaos_fail(what, __LINE__); \
        } \
    } while (0)

static TARGET_NOINLINE void chaos_fail(const char *what, int line) {
    char text[256];
    int n = snprintf(text, sizeof text, "chaos: seed %llu: %s (line %d, errno %d)\n", (unsigned long long)chaos_seed, what,
                     line, errno);
    write(STDERR_FILENO, text, (size_t)n);
    _exit(1);
}

/* The next choice of a stream (splitmix64). */
static uint64_t chaos_next(uint64_t *random) {
    uint64_t z = (*random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A number below `limit`. */
static unsigned chaos_below(struct chaos *chaos, unsigned limit) {
    return (unsigned)(chaos_next(&chaos->random) >> 33) % limit;
}

static void chaos_begin(struct chaos *chaos, uint64_t stream, int number) {
    memset(chaos, 0, sizeof *chaos);
    chaos->random = chaos_seed * 0x2545F4914F6CDD1Du + stream;
    chaos->number = number;
    chaos->reserved = CHAOS_RESERVED_FDS + number * CHAOS_RESERVED_EACH;
    for (int i = 0; i < CHAOS_KEPT_FDS; i++) {
        chaos->fds[i] = -1;
    }
}

static void chaos_pause(long microseconds) {
    struct timespec pause = {0, microseconds * 1000};
    nanosleep(&pause, NULL);
}

#endif
