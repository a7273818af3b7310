/* turns: what hooks add to the calls of an allocator, within one process. turns WORKLOAD SECONDS FILE
 *
 * Every millisecond or so it changes between the functions that the program is bound to (a preload's, if there is one) and the C
 * library's own. Whatever else this machine does, it does to both. WORKLOAD is lifo, random_replacement or realloc_growth, as
 * the programs of these names. FILE gets one line: number of pairs, ns a call on either way, median of the ratios and its
 * 95 % interval, and the per cent of all CPU time that the hooks took.
 */
#define _GNU_SOURCE
#include "allocations.h"
#include <math.h>
#include <time.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

#define PAIRS_MAX 200000

static uint64_t state = BENCH_SEED;

/* Each gives the number of calls. What it makes it frees: no block passes from one way to the other. */

static long turn_lifo(const struct allocator *with) {
    const long pairs = 100000;
    lifo(with, pairs);
    return 2 * pairs;
}

static long turn_random_replacement(const struct allocator *with) {
    const long steps = 50000;
    random_replacement(with, steps, &state);
    return 2 * (LIVE + steps);
}

static long turn_realloc_growth(const struct allocator *with) {
    return realloc_growth(with, 2000);
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
        {"lifo", turn_lifo}, {"random_replacement", turn_random_replacement}, {"realloc_growth", turn_realloc_growth}};
    static double ratios[PAIRS_MAX];
    const struct allocator ways[2] = {{__libc_malloc, __libc_realloc, __libc_free}, bound};
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
