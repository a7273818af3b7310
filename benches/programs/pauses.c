/* pauses: how long single calls take. pauses ROUNDS, on one processor; a line of JSON for each kind of call.
 *
 * Times every malloc, free, open, close and pthread_create (with its join) by itself, the first of each included, and the first
 * malloc of a fork child. p50 to p99.99 and the longest, in ns. What reading the clock takes is in all of them.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct kind {
    const char *name;
    long count;
    unsigned *took_ns;
};

static void note(struct kind *kind, long long from) {
    long long took = now_ns() - from;
    kind->took_ns[kind->count++] = took > 4000000000LL ? 4000000000U : (unsigned)took;
}

static int ascending(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

static void say(struct kind *kind) {
    unsigned first = kind->took_ns[0];
    qsort(kind->took_ns, (size_t)kind->count, sizeof(unsigned), ascending);
    const double shares[] = {0.5, 0.99, 0.999, 0.9999};
    printf("{\"kind\": \"%s\", \"calls\": %ld, \"first\": %u", kind->name, kind->count, first);
    const char *names[] = {"p50", "p99", "p99.9", "p99.99"};
    for (int i = 0; i < 4; i++) {
        printf(", \"%s\": %u", names[i], kind->took_ns[(long)(shares[i] * (double)(kind->count - 1))]);
    }
    printf(", \"max\": %u}\n", kind->took_ns[kind->count - 1]);
}

static void *nothing(void *argument) { return argument; }

static struct kind make(const char *name, long count) {
    struct kind kind = {name, 0, calloc((size_t)count, sizeof(unsigned))};
    memset(kind.took_ns, 1, (size_t)count * sizeof(unsigned)); /* no page fault while it is measured */
    return kind;
}

int main(int argc, char **argv) {
    long rounds = bench_count(argc, argv, 1000000);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    long calls = rounds / 20 + 1, few = rounds / 1000 + 1;
    struct kind kinds[] = {
        make("malloc", rounds), make("free", rounds),         make("open", calls),
        make("close", calls),   make("pthread_create", few),  make("first malloc of a fork child", few / 10 + 1),
    };
    static void *own[256];
    uint64_t state = BENCH_SEED;
    for (long i = 0; i < rounds; i++) {
        uint64_t random = bench_random(&state);
        long long from = now_ns();
        free(own[random % 256]);
        note(&kinds[1], from);
        from = now_ns();
        own[random % 256] = bench_hide(malloc(16 + (random >> 32) % 1008));
        note(&kinds[0], from);
    }
    for (long i = 0; i < calls; i++) {
        long long from = now_ns();
        int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
        note(&kinds[2], from);
        from = now_ns();
        close(opened);
        note(&kinds[3], from);
    }
    for (long i = 0; i < few; i++) {
        pthread_t thread;
        long long from = now_ns();
        int failed = pthread_create(&thread, NULL, nothing, NULL);
        note(&kinds[4], from);
        if (failed == 0) {
            pthread_join(thread, NULL);
        }
    }
    for (long i = 0; i < few / 10 + 1; i++) {
        int pair[2];
        unsigned took = 0;
        if (pipe(pair) != 0) {
            return 1;
        }
        pid_t child = fork();
        if (child == 0) {
            long long from = now_ns();
            void *made = bench_hide(malloc(100));
            took = (unsigned)(now_ns() - from);
            free(made);
            _exit(write(pair[1], &took, sizeof took) != sizeof took);
        }
        if (read(pair[0], &took, sizeof took) == sizeof took) {
            kinds[5].took_ns[kinds[5].count++] = took;
        }
        waitpid(child, NULL, 0);
        close(pair[0]);
        close(pair[1]);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        say(&kinds[i]);
    }
    return 0;
}
