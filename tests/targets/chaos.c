/* chaos: everything at once. Threads that do at random whatever a program may do: memory, descriptors, threads, children,
 * libraries, signals, coroutines, jumps. All of it is given back, but for what --plant leaks.
 *
 *   --seed N      the choices of every thread (their order among threads is the system's)
 *   --seconds S   how long
 *   --plant       three leaks, spread over that time
 *
 * It checks itself: every block's pattern, every byte through a pipe, errno after calls that succeed, the end of every
 * child, and in the end that no descriptor, thread or child is left. Prints "ok N" and ends with 0; at the first
 * deviation it says one line and ends with 1. The parts are in chaos_*.h.
 *
 * expect: leak plant_heap plant_descriptor plant_thread
 */
#include "chaos.h"
#include "chaos_children.h"
#include "chaos_descriptors.h"
#include "chaos_jumps.h"
#include "chaos_memory.h"
#include "chaos_threads.h"

#include <sys/resource.h>

#define PLANTED_BLOCKS 5000
#define PLANTED_BYTES 4096
#define PLANTED_OTHERS 100
#define STEP_US 10000

struct deed {
    void (*done)(struct chaos *);
    unsigned weight;
};

/* Children are rare beside the rest: under --aggressive each has a segment of its own. */
static const struct deed DEEDS[] = {
    {do_blocks, 240}, {do_mappings, 48}, {do_kept_fds, 120}, {do_pipes, 48}, {do_passing, 40},
    {do_events, 32}, {do_ranges, 40}, {do_streams, 24}, {do_coroutines, 32}, {do_own_stack, 32},
    {do_longjmp, 40}, {do_handler_jumps, 32}, {do_signal, 40}, {do_timer, 24}, {do_threads, 24},
    {do_library, 16}, {do_environment, 24}, {do_fork, 3}, {do_vfork, 2}, {do_spawn, 2}, {do_popen, 1},
    {do_torment, 1}, {do_cancellation, 16},
};
#define DEED_COUNT (sizeof DEEDS / sizeof DEEDS[0])

static double chaos_end;
static atomic_int chaos_workers_done, chaos_all_done;
static pthread_barrier_t chaos_start;

static TARGET_NOINLINE void do_one(struct chaos *chaos, unsigned weights) {
    unsigned chosen = chaos_below(chaos, weights);
    for (size_t i = 0; i < DEED_COUNT; i++) {
        if (chosen < DEEDS[i].weight) {
            DEEDS[i].done(chaos);
            return;
        }
        chosen -= DEEDS[i].weight;
    }
}

static void *worker(void *argument) {
    struct chaos *chaos = (struct chaos *)argument;
    unsigned weights = 0;
    for (size_t i = 0; i < DEED_COUNT; i++) {
        weights += DEEDS[i].weight;
    }
    /* Half of the workers have a stack for signals, the others take them where they are. */
    void *alternate = chaos->number % 2 == 0 ? malloc(CHAOS_ALT_STACK_BYTES) : NULL;
    stack_t stack = {.ss_sp = alternate, .ss_flags = alternate == NULL ? SS_DISABLE : 0, .ss_size = CHAOS_ALT_STACK_BYTES};
    chaos_check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    chaos_self = chaos;
    pthread_barrier_wait(&chaos_start);
    while (target_now() < chaos_end) {
        do_one(chaos, weights);
        if (chaos_below(chaos, 2) == 0) {
            chaos_pause((long)chaos_below(chaos, 2000));
        }
    }
    fds_end(chaos);
    blocks_end(chaos);
    /* Until nobody sends signals to anybody any more. */
    atomic_fetch_add(&chaos_workers_done, 1);
    while (!atomic_load(&chaos_all_done)) {
        chaos_pause(1000);
    }
    chaos_self = NULL;
    stack.ss_flags = SS_DISABLE;
    chaos_check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    free(alternate);
    return NULL;
}

static TARGET_NOINLINE void plant_heap(void) {
    void *block = malloc(PLANTED_BYTES); /* LEAK */
    target_touch(block, PLANTED_BYTES, 7);
}

static TARGET_NOINLINE void plant_descriptor(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* LEAK */
    chaos_check(fd >= 0, "open");
}

static void *planted_thread(void *unused) { return unused; }

static TARGET_NOINLINE void plant_thread(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    /* Larger than those of all that end, so that libc does not give it one that it kept from them. */
    pthread_attr_setstacksize(&attributes, (size_t)1024 * 1024);
    int answer = pthread_create(&thread, &attributes, planted_thread, NULL); /* LEAK */
    chaos_check(answer == 0, "pthread_create");
    pthread_attr_destroy(&attributes);
}

/* In the first thread, while the others do what they do. All of it in the end, however seldom the thread was let run. */
static void plant(double seconds) {
    long blocks = 0, others = 0;
    for (double share = 0; share < 1;) {
        share = 1 - (chaos_end - target_now()) / seconds;
        share = share < 1 ? share : 1;
        for (; (double)blocks < share * PLANTED_BLOCKS; blocks++) {
            plant_heap();
        }
        for (; (double)others < share * PLANTED_OTHERS; others++) {
            plant_descriptor();
            plant_thread();
        }
        chaos_pause(STEP_US);
    }
}

static int entries(const char *folder) {
    DIR *list = opendir(folder);
    chaos_check(list != NULL, "opendir");
    int count = 0;
    while (readdir(list) != NULL) {
        count++;
    }
    closedir(list);
    return count;
}

static void run(double seconds, int plants) {
    struct chaos workers[CHAOS_WORKERS];
    int fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    long detached_wait_ms = 0;
    chaos_end = target_now() + seconds;
    pthread_barrier_init(&chaos_start, NULL, CHAOS_WORKERS + 1);
    for (int i = 0; i < CHAOS_WORKERS; i++) {
        chaos_begin(&workers[i], (uint64_t)i, i);
        chaos_check(pthread_create(&chaos_workers[i], NULL, worker, &workers[i]) == 0, "pthread_create");
    }
    /* From here on every worker knows every other. */
    pthread_barrier_wait(&chaos_start);
    if (plants) {
        plant(seconds);
    }
    while (atomic_load(&chaos_workers_done) < CHAOS_WORKERS) {
        chaos_pause(STEP_US);
    }
    atomic_store(&chaos_all_done, 1);
    for (int i = 0; i < CHAOS_WORKERS; i++) {
        chaos_check(pthread_join(chaos_workers[i], NULL) == 0, "pthread_join");
    }
    for (; entries("/proc/self/task") != threads; detached_wait_ms++) {
        chaos_check(detached_wait_ms < 30000, "a thread is left");
        chaos_pause(1000);
    }
    shared_blocks_end();
    chaos_check(atomic_load(&chaos_detached) == 0, "a detached thread did not come to its end");
    chaos_check(entries("/proc/self/fd") == fds + (plants ? PLANTED_OTHERS : 0), "descriptors are left, or lost");
    chaos_check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
    long jumps = 0;
    for (int i = 0; i < CHAOS_WORKERS; i++) {
        jumps += workers[i].jumps;
    }
    fprintf(stderr, "chaos: %ld signals, %ld jumps out of handlers, %ld short-lived threads\n", atomic_load(&chaos_signals), jumps,
            atomic_load(&chaos_streams) - 1000);
}

int main(int argc, char **argv) {
    double seconds = 5;
    int plants = 0;
    ssize_t length = readlink("/proc/self/exe", chaos_program, sizeof chaos_program - 1);
    target_check(length > 0, "/proc/self/exe", 3);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end = NULL;
        if (strcmp(argv[i], "--plant") == 0) {
            plants = 1;
            continue;
        }
        int is_seconds = strcmp(argv[i], "--seconds") == 0, is_child = strcmp(argv[i], "--child") == 0;
        double number = strtod(value, &end);
        if (end == value || *end != '\0' || number < 0 || !(is_seconds || is_child || strcmp(argv[i], "--seed") == 0)) {
            fprintf(stderr, "chaos: bad argument %s %s (usage: --seed N --seconds S [--plant])\n", argv[i], value);
            return 2;
        }
        if (is_child) {
            return child_program(strtoull(value, NULL, 10));
        } else if (is_seconds) {
            seconds = number;
        } else {
            chaos_seed = strtoull(value, NULL, 10);
        }
        i++;
    }
    /* Room below the workers' own numbers for everything else. */
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 1024;
    target_check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit of descriptors (ulimit -n) is below 1024", 3);
    signals_begin();
    run(seconds, plants);
    printf("ok %llu\n", (unsigned long long)chaos_seed);
    return 0;
}
