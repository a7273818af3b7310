/* scale: one kind of work at a size of one's choice, for scripts/scaling.py. scale WORK N OPERATIONS
 *
 * Prints one line of JSON when the work is done: operations, CPU and wall time of the part that counts, and how many calls
 * failed. Then it holds what it has until its input ends, so that others can look at it, gives everything back, and prints
 * what it found to be wrong with its own memory, which is nothing.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long n, operations;
static long failed, wrong;

static long long clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long cpu_from, wall_from, cpu_ns, wall_ns;

static void begin(void) {
    cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    wall_from = clock_ns(CLOCK_MONOTONIC);
}

static void end(void) {
    cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from;
    wall_ns = clock_ns(CLOCK_MONOTONIC) - wall_from;
}

/* Says what was done, and waits until nobody wants to look any more. */
static void hold(long done) {
    printf("{\"operations\": %ld, \"cpu_ns\": %lld, \"wall_ns\": %lld, \"failed\": %ld}\n", done, cpu_ns, wall_ns, failed);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
}

/* A block that knows what it is. */
static unsigned char *block(size_t bytes, unsigned char mark) {
    unsigned char *made = bench_hide(malloc(bytes));
    if (made == NULL) {
        failed++;
    } else {
        made[0] = mark;
    }
    return made;
}

static void release(unsigned char *made, unsigned char mark) {
    if (made != NULL && made[0] != mark) {
        wrong++;
    }
    free(made);
}

/* ---- Threads: each replaces blocks of its own, or all replace each other's ---- */

#define OWN 256
#define SHARED 1024

static _Atomic(void *) shared[SHARED];
static int contended;
static pthread_barrier_t ready;

static void *replacing(void *number) {
    uint64_t state = BENCH_SEED + (uintptr_t)number * 7919;
    void *own[OWN] = {0};
    pthread_barrier_wait(&ready);
    for (long i = 0; i < operations; i++) {
        uint64_t random = bench_random(&state);
        void *made = bench_hide(malloc(16 + (random >> 32) % 1008));
        if (contended) {
            free(atomic_exchange(&shared[random % SHARED], made));
        } else {
            free(own[random % OWN]);
            own[random % OWN] = made;
        }
    }
    for (int i = 0; i < OWN; i++) {
        free(own[i]);
    }
    return NULL;
}

static void threads(void) {
    pthread_t *made = calloc((size_t)n, sizeof *made);
    pthread_barrier_init(&ready, NULL, (unsigned)n + 1);
    for (long i = 0; i < n; i++) {
        failed += pthread_create(&made[i], NULL, replacing, (void *)i) != 0;
    }
    begin();
    pthread_barrier_wait(&ready);
    for (long i = 0; i < n; i++) {
        pthread_join(made[i], NULL);
    }
    end();
    hold(n * operations);
    for (int i = 0; i < SHARED; i++) {
        free(atomic_exchange(&shared[i], NULL));
    }
    free(made);
}

/* ---- Heap: N MiB in blocks of 16 to 112 KiB, of which the first page is touched; some are replaced ---- */

static size_t block_bytes(uint64_t random) {
    return (16 << 10) + (random >> 24) % (96 << 10);
}

static void heap(void) {
    long count = n * 16;
    unsigned char **blocks = calloc((size_t)count, sizeof *blocks);
    uint64_t state = BENCH_SEED;
    for (long i = 0; i < count; i++) {
        blocks[i] = block(block_bytes(bench_random(&state)), (unsigned char)i);
    }
    begin();
    for (long i = 0; i < operations; i++) {
        uint64_t random = bench_random(&state);
        long at = (long)(random % (uint64_t)count);
        release(blocks[at], (unsigned char)at);
        blocks[at] = block(block_bytes(random), (unsigned char)at);
    }
    end();
    hold(operations);
    for (long i = 0; i < count; i++) {
        release(blocks[i], (unsigned char)i);
    }
    free(blocks);
}

/* ---- Small blocks: N of 16 bytes at once, again and again: tables of live objects ---- */

static void blocks(void) {
    unsigned char **made = calloc((size_t)n, sizeof *made);
    begin();
    for (long round = 0; round < operations; round++) {
        for (long i = 0; i < n; i++) {
            made[i] = block(16, (unsigned char)i);
        }
        if (round + 1 < operations) {
            for (long i = 0; i < n; i++) {
                release(made[i], (unsigned char)i);
            }
        }
    }
    end();
    hold(n * operations);
    for (long i = 0; i < n; i++) {
        release(made[i], (unsigned char)i);
    }
    free(made);
}

/* ---- Descriptors: N held, a quarter each files, event counters, and both ends of socket pairs; some opened and closed ---- */

/* To twice what is wanted, if that is allowed: who is near the limit is told so, and that is another matter. */
static void raise_limit(long wanted) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 2 * (rlim_t)wanted ? limit.rlim_max : 2 * (rlim_t)wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)wanted) {
        limit.rlim_cur = limit.rlim_max = (rlim_t)wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            perror("scale: the limit of open files cannot be raised so far");
            exit(3);
        }
    }
}

static void descriptors(void) {
    raise_limit(n + 64);
    int *held = calloc((size_t)n + 4, sizeof *held);
    long count = 0;
    while (count < n) {
        int pair[2] = {-1, -1};
        held[count++] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        held[count++] = eventfd(0, EFD_CLOEXEC);
        failed += socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0;
        held[count++] = pair[0];
        held[count++] = pair[1];
    }
    begin();
    for (long i = 0; i < operations; i++) {
        int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
        failed += opened < 0 || close(opened) != 0;
    }
    end();
    hold(operations);
    for (long i = 0; i < count; i++) {
        failed += held[i] < 0 || close(held[i]) != 0;
    }
    free(held);
}

/* ---- Depth: blocks allocated N calls deep, along 64 ways there; "paths": each time along another way ---- */

static unsigned char *left(long depth, uint64_t way, size_t bytes);
static unsigned char *right(long depth, uint64_t way, size_t bytes);

__attribute__((noinline)) static unsigned char *deeper(long depth, uint64_t way, size_t bytes) {
    return (way >> (depth & 63)) & 1 ? left(depth - 1, way, bytes) : right(depth - 1, way, bytes);
}

__attribute__((noinline)) static unsigned char *left(long depth, uint64_t way, size_t bytes) {
    unsigned char *made = depth <= 0 ? block(bytes, 1) : deeper(depth, way, bytes);
    __asm__ volatile("" ::: "memory");
    return made;
}

__attribute__((noinline)) static unsigned char *right(long depth, uint64_t way, size_t bytes) {
    unsigned char *made = depth <= 0 ? block(bytes, 1) : deeper(depth, way, bytes);
    __asm__ volatile("" : : : "memory");
    return made;
}

static void deep(uint64_t ways) {
    uint64_t state = BENCH_SEED;
    unsigned char *own[OWN] = {0};
    /* Two of our functions are one step of the way. */
    long depth = n > 6 ? (n - 6) / 2 : 0;
    begin();
    for (long i = 0; i < operations; i++) {
        uint64_t random = bench_random(&state);
        release(own[random % OWN], 1);
        uint64_t way = ways != 0 ? (random >> 8) % ways * 0x9E3779B97F4A7C15ULL : bench_random(&state);
        own[random % OWN] = left(depth, way, 16 + (random >> 32) % 1008);
    }
    end();
    hold(operations);
    for (int i = 0; i < OWN; i++) {
        release(own[i], 1);
    }
}

/* N threads that all walk at once. */
static void *walking(void *number) {
    uint64_t state = BENCH_SEED + (uintptr_t)number * 7919;
    pthread_barrier_wait(&ready);
    for (long i = 0; i < operations; i++) {
        release(left(60, bench_random(&state), 64), 1);
    }
    return NULL;
}

static void walkers(void) {
    pthread_t *made = calloc((size_t)n, sizeof *made);
    pthread_barrier_init(&ready, NULL, (unsigned)n);
    begin();
    for (long i = 0; i < n; i++) {
        failed += pthread_create(&made[i], NULL, walking, (void *)i) != 0;
    }
    for (long i = 0; i < n; i++) {
        pthread_join(made[i], NULL);
    }
    end();
    hold(n * operations);
    free(made);
}

static void depth(void) { deep(64); }

static void paths(void) { deep(0); }

/* ---- Mappings: N at once ---- */

static void mappings(void) {
    void **made = calloc((size_t)n, sizeof *made);
    begin();
    for (long round = 0; round < operations; round++) {
        for (long i = 0; i < n; i++) {
            made[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            failed += made[i] == MAP_FAILED;
        }
        if (round + 1 < operations) {
            for (long i = 0; i < n; i++) {
                failed += munmap(made[i], 4096) != 0;
            }
        }
    }
    end();
    hold(n * operations);
    for (long i = 0; i < n; i++) {
        failed += munmap(made[i], 4096) != 0;
    }
    free(made);
}

/* ---- Registrations: N descriptors in one epoll instance ---- */

static void registrations(void) {
    raise_limit(n + 64);
    int *held = calloc((size_t)n, sizeof *held);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    begin();
    for (long i = 0; i < n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = (int)i}};
        held[i] = eventfd(0, EFD_CLOEXEC);
        failed += held[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, held[i], &event) != 0;
    }
    end();
    hold(n);
    for (long i = 0; i < n; i++) {
        failed += epoll_ctl(epoll, EPOLL_CTL_DEL, held[i], NULL) != 0 || close(held[i]) != 0;
    }
    close(epoll);
    free(held);
}

/* ---- Modules: N libraries lib0.so to libN-1.so in the folder SCALE_MODULES are loaded, and each allocates. "reloads": each
 * is closed before the next is loaded ---- */

static int closes;

static void modules(void) {
    const char *folder = getenv("SCALE_MODULES");
    void **handles = calloc((size_t)n, sizeof *handles);
    unsigned char **made = calloc((size_t)n, sizeof *made);
    begin();
    for (long i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/lib%ld.so", folder == NULL ? "." : folder, i);
        handles[i] = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        unsigned char *(*make)(size_t) = NULL;
        if (handles[i] != NULL) {
            *(void **)&make = dlsym(handles[i], "make");
        }
        if (make == NULL) {
            failed++;
            continue;
        }
        made[i] = make(100);
        if (closes) {
            failed += dlclose(handles[i]) != 0;
            handles[i] = NULL;
        }
    }
    for (long i = 0; i < operations; i++) {
        release(made[i % n], 7);
        made[i % n] = block(100, 7);
    }
    end();
    hold(n);
    for (long i = 0; i < n; i++) {
        release(made[i], 7);
        if (handles[i] != NULL) {
            failed += dlclose(handles[i]) != 0;
        }
    }
    free(handles);
    free(made);
}

/* ---- Children: N, one after another, each waited for ---- */

static void children(void) {
    begin();
    for (long i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            free(bench_hide(malloc(1000)));
            _exit(7);
        }
        int status = 0;
        failed += child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7;
    }
    end();
    hold(n);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } works[] = {
        {"threads", threads},   {"threads-contended", threads}, {"heap", heap},   {"blocks", blocks},
        {"descriptors", descriptors}, {"depth", depth},         {"paths", paths}, {"walkers", walkers}, {"mappings", mappings},
        {"registrations", registrations}, {"modules", modules}, {"reloads", modules}, {"children", children},
    };
    if (argc != 4 || (n = atol(argv[2])) <= 0 || (operations = atol(argv[3])) <= 0) {
        fprintf(stderr, "usage: scale WORK N OPERATIONS\n");
        return 125;
    }
    contended = strcmp(argv[1], "threads-contended") == 0;
    closes = strcmp(argv[1], "reloads") == 0;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].name, argv[1]) == 0) {
            works[i].run();
            printf("{\"failed\": %ld, \"wrong\": %ld}\n", failed, wrong);
            return failed != 0 || wrong != 0;
        }
    }
    fprintf(stderr, "scale: there is no work %s\n", argv[1]);
    return 125;
}
