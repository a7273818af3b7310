/* sites: N of 50,000 functions take turns to allocate. sites sites N OPERATIONS, prints and holds as scale does. */
#include "bench.h"
#include "sites.h"
#include <time.h>
#include <unistd.h>

#define OWN 1024

static long long clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
    const long made = SITES;
    long n = argc == 4 ? atol(argv[2]) : 0, operations = argc == 4 ? atol(argv[3]) : 0;
    if (n <= 0 || n > made || operations <= 0) {
        fprintf(stderr, "usage: sites sites N OPERATIONS, N up to %ld\n", made);
        return 125;
    }
    static unsigned char *own[OWN];
    uint64_t state = BENCH_SEED;
    long failed = 0;
    long long cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall_from = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < operations; i++) {
        uint64_t random = bench_random(&state);
        free(own[i % OWN]);
        own[i % OWN] = site_number(i % n)(16 + (random >> 32) % 1008);
        if (own[i % OWN] == NULL) {
            failed++;
        } else {
            *own[i % OWN] = 1;
        }
    }
    printf("{\"operations\": %ld, \"cpu_ns\": %lld, \"wall_ns\": %lld, \"failed\": %ld}\n", operations,
           clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from, clock_ns(CLOCK_MONOTONIC) - wall_from, failed);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    long wrong = 0;
    for (int i = 0; i < OWN; i++) {
        wrong += own[i] != NULL && *own[i] != 1;
        free(own[i]);
    }
    printf("{\"failed\": %ld, \"wrong\": %ld}\n", failed, wrong);
    return failed != 0 || wrong != 0;
}
