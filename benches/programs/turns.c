/* turns: what hooks add to calls, within one process. turns WORKLOAD SECONDS FILE
 *
 * Every millisecond or so it changes between the functions that the program is bound to (a preload's, if there is one) and the C
 * library's own. Whatever else this machine does, it does to both. WORKLOAD is lifo, random_replacement or realloc_growth, as
 * the programs of these names, or a kind of object that the program pairs knows. FILE gets one line: number of pairs of turns, ns a call
 * (or a pair of calls) on either way, median of the ratios and its 95 % interval, and the per cent of all CPU time that the hooks
 * took; of objects by that median, as now and then the kernel does in one turn what it owes to both.
 */
#define _GNU_SOURCE
#include "allocations.h"
#include "objects.h"
#include <dlfcn.h>
#include <math.h>
#include <time.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

#define PAIRS_MAX 200000
/* A turn over objects takes so long, or up to twice as long. */
#define TURN_NS 2e6

/* By either of the two ways: the C library's own functions, and those the program is bound to. */
struct way {
    struct allocator allocator;
    struct makers makers;
};

static uint64_t state = BENCH_SEED;
static const struct kind *kind;
static long objects = 1;

/* Each gives the number of calls. What it makes it frees: no block passes from one way to the other. */

static long turn_lifo(const struct way *with) {
    const long pairs = 100000;
    lifo(&with->allocator, pairs);
    return 2 * pairs;
}

static long turn_random_replacement(const struct way *with) {
    const long steps = 50000;
    random_replacement(&with->allocator, steps, &state);
    return 2 * (LIVE + steps);
}

static long turn_realloc_growth(const struct way *with) {
    return realloc_growth(&with->allocator, 2000);
}

static long turn_objects(const struct way *with) {
    for (long i = 0; i < objects; i++) {
        kind->pair(&with->makers);
    }
    return objects;
}

/* The C library's own function, whatever a preload puts before it. */
static void *own(const char *name) {
    static void *library;
    if (!library) {
        library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    }
    void *function = library ? dlsym(library, name) : NULL;
    need(function != NULL, name);
    return function;
}

static struct makers own_makers(void) {
    struct makers with;
#define OWN(name) *(void **)&with.name = own(#name);
    EACH_MAKER(OWN)
#undef OWN
    return with;
}

/* Of all threads: one of the kinds makes some. */
static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
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
        long (*run)(const struct way *);
    } workloads[] = {
        {"lifo", turn_lifo}, {"random_replacement", turn_random_replacement}, {"realloc_growth", turn_realloc_growth}};
    static double ratios[PAIRS_MAX];
    const struct way ways[2] = {{{__libc_malloc, __libc_realloc, __libc_free}, own_makers()}, {bound, bound_makers}};
    long (*run)(const struct way *) = NULL;
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (argc == 4 && strcmp(argv[1], workloads[i].name) == 0) {
            run = workloads[i].run;
        }
    }
    if (!run && argc == 4 && (kind = kind_of(argv[1]))) {
        run = turn_objects;
    }
    double seconds = run ? atof(argv[2]) : 0;
    if (!(seconds > 0)) {
        fprintf(stderr, "usage: turns lifo|random_replacement|realloc_growth|" KINDS " SECONDS FILE\n");
        return 2;
    }
    if (kind && kind->before) {
        kind->before();
    }
    for (double took_ns = 0; kind && took_ns < TURN_NS / 2; objects *= 2) {
        double start_ns = cpu_ns();
        run(&ways[0]);
        took_ns = cpu_ns() - start_ns;
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
    double half = 0.98 * sqrt((double)pairs), middle = (double)pairs / 2, ratio = at(ratios, pairs, middle);
    double share = kind ? (ratio - 1) / (ratio + 1) : (sums_ns[1] - sums_ns[0]) / (sums_ns[0] + sums_ns[1]);
    FILE *file = fopen(argv[3], "w");
    if (!file) {
        perror(argv[3]);
        return 1;
    }
    fprintf(file, "%ld %.4f %.4f %.5f %.5f %.5f %.4f\n", pairs, sums_ns[0] / (double)(pairs * calls),
            sums_ns[1] / (double)(pairs * calls), ratio, at(ratios, pairs, middle - half),
            at(ratios, pairs, middle + half), 100 * share);
    return fclose(file) == 0 ? 0 : 1;
}
