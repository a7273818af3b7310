/* turns: what hooks add to the calls of an allocator, within one process. turns WORKLOAD SECONDS FILE
 *
 * Every millisecond or so it changes between the functions that the program is bound to (a preload's, if there is one) and the C
 * library's own. Whatever else this machine does, it does to both. WORKLOAD is lifo, random_replacement or realloc_growth, as
 * the programs of these names. FILE gets one line: number of pairs, ns a call on either way, median of the ratios and its
 * 95 % interval, and the per cent of all CPU time that the hooks took.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <math.h>
#include <time.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

struct allocator {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
};

#define LIVE 10000
#define PAIRS_MAX 200000

static uint64_t state = 88172645463325252U;

/* Each gives the number of calls, and frees what it has made: no block passes from one way to the other. */

static long lifo(const struct allocator *with) {
    const long pairs = 100000;
    for (long i = 0; i < pairs; i++) {
        with->free(bench_hide(with->malloc(16 + (size_t)(i & 15) * 16)));
    }
    return 2 * pairs;
}

static long random_replacement(const struct allocator *with) {
    static char *blocks[LIVE];
    const long steps = 50000;
    for (long i = 0; i < LIVE; i++) {
        blocks[i] = (char *)with->malloc(16 + (size_t)(bench_random(&state) % 1009));
        blocks[i][0] = 1;
    }
    for (long i = 0; i < steps; i++) {
        uint64_t random = bench_random(&state);
        size_t slot = (size_t)(random >> 32) % LIVE;
        with->free(blocks[slot]);
        blocks[slot] = (char *)with->malloc(16 + (size_t)((uint32_t)random % 1009));
        blocks[slot][0] = 1;
    }
    for (long i = 0; i < LIVE; i++) {
        with->free(blocks[i]);
    }
    return 2 * (LIVE + steps);
}

static long realloc_growth(const struct allocator *with) {
    const long buffers = 2000;
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

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const double *sorted, long count, double index) {
    return sorted[index < 0 ? 0 : index >= (double)count ? count - 1 : (long)index];
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        long (*run)(const struct allocator *);
    } workloads[] = {
        {"lifo", lifo}, {"random_replacement", random_replacement}, {"realloc_growth", realloc_growth}};
    static double ratios[PAIRS_MAX];
    const struct allocator ways[2] = {{__libc_malloc, __libc_realloc, __libc_free}, {malloc, realloc, free}};
    long (*run)(const struct allocator *) = NULL;
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (argc == 4 && strcmp(argv[1], workloads[i].name) == 0) {
            run = workloads[i].run;
        }
    }
    double seconds = run ? atof(argv[2]) : 0;
    if (!(seconds > 0)) {
        fprintf(stderr, "usage: turns lifo|random_replacement|realloc_growth SECONDS FILE\n");
        return 2;
    }
    double sums_ns[2] = {0, 0};
    long pairs = 0, calls = 0;
    run(&ways[0]);
    run(&ways[1]);
    for (double end_ns = cpu_ns() + seconds * 1e9; pairs < PAIRS_MAX && cpu_ns() < end_ns; pairs++) {
        double took_ns[2];
        int first = (int)(bench_random(&state) >> 40 & 1);
        for (int turn = 0; turn < 2; turn++) {
            int way = first ^ turn;
            double start_ns = cpu_ns();
            calls = run(&ways[way]);
            took_ns[way] = cpu_ns() - start_ns;
            sums_ns[way] += took_ns[way];
        }
        ratios[pairs] = took_ns[1] / took_ns[0];
    }
    qsort(ratios, (size_t)pairs, sizeof *ratios, by_value);
    /* The median's interval by order statistics: 0.98 is half of 1.96. */
    double half = 0.98 * sqrt((double)pairs), middle = (double)pairs / 2;
    FILE *file = fopen(argv[3], "w");
    if (!file) {
        perror(argv[3]);
        return 1;
    }
    fprintf(file, "%ld %.4f %.4f %.5f %.5f %.5f %.4f\n", pairs, sums_ns[0] / (double)(pairs * calls),
            sums_ns[1] / (double)(pairs * calls), at(ratios, pairs, middle), at(ratios, pairs, middle - half),
            at(ratios, pairs, middle + half), 100 * (sums_ns[1] - sums_ns[0]) / (sums_ns[0] + sums_ns[1]));
    return fclose(file) == 0 ? 0 : 1;
}
