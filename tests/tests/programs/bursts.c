/* bursts: threads that allocate as fast as they can, or hardly at all, as they are told; some blocks are kept, and counted.
 *
 *   bursts THREADS
 *
 * Reads lines and answers each when it is done:
 *   mad        all threads allocate and free blocks of 4 KiB in a loop from now on
 *   calm       they allocate a small one now and then: so little that no interval is too short for it
 *   keep N     N further blocks of 64 KiB are kept for ever, a few per thousand of the others
 *   child      makes a child that stays calm until its own input ends, and answers with its number
 *   tell       answers "kept BYTES COUNT", all that was kept so far
 * The size of a kept block is odd, so that a sample tells that it is one.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEPT_BYTES 65537
#define THREADS_MAX 64

static atomic_int is_mad;
static atomic_long wanted, kept;
/* What is kept stays reachable. */
static void *volatile list;

__attribute__((noinline, noclone)) static char *take(size_t size) {
    char *block = malloc(size);
    if (block == NULL) {
        _exit(3);
    }
    return block;
}

__attribute__((noinline, noclone)) static void keep_one(void) {
    void **block = malloc(KEPT_BYTES);
    if (block == NULL) {
        _exit(3);
    }
    *block = list;
    list = block;
}

static void *work(void *unused) {
    (void)unused;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    for (unsigned long turn = 0;; turn++) {
        char *block = take(atomic_load_explicit(&is_mad, memory_order_relaxed) ? 4096 : 8);
        block[0] = 1;
        free(block);
        if (turn % 256 == 0 && atomic_load(&kept) < atomic_load(&wanted)) {
            pthread_mutex_lock(&lock);
            if (atomic_load(&kept) < atomic_load(&wanted)) {
                keep_one();
                atomic_fetch_add(&kept, 1);
            }
            pthread_mutex_unlock(&lock);
        }
        if (!atomic_load_explicit(&is_mad, memory_order_relaxed)) {
            struct timespec pause = {0, 100000};
            nanosleep(&pause, NULL);
            turn |= 15;
        }
    }
    return NULL;
}

static void child(void) {
    pid_t pid = fork();
    if (pid < 0) {
        _exit(3);
    }
    if (pid == 0) {
        /* Calm, but not so calm that nobody watches it. */
        for (int i = 0; getppid() != 1; i++) {
            char *block = take(4096);
            block[0] = 1;
            free(block);
            struct timespec pause = {0, 100000};
            nanosleep(&pause, NULL);
        }
        _exit(0);
    }
    printf("child %d\n", (int)pid);
}

int main(int argc, char **argv) {
    int threads = argc == 2 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > THREADS_MAX) {
        return 2;
    }
    /* Everything from the heap: a system call per block would be the slower part. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0) {
            return 3;
        }
    }
    char line[80];
    while (fgets(line, sizeof line, stdin) != NULL) {
        long count;
        if (strcmp(line, "mad\n") == 0) {
            atomic_store(&is_mad, 1);
            puts("mad");
        } else if (strcmp(line, "calm\n") == 0) {
            atomic_store(&is_mad, 0);
            puts("calm");
        } else if (sscanf(line, "keep %ld", &count) == 1) {
            atomic_fetch_add(&wanted, count);
            while (atomic_load(&kept) < atomic_load(&wanted)) {
                struct timespec pause = {0, 1000000};
                nanosleep(&pause, NULL);
            }
            puts("kept");
        } else if (strcmp(line, "child\n") == 0) {
            child();
        } else if (strcmp(line, "tell\n") == 0) {
            printf("kept %ld %ld\n", atomic_load(&kept) * KEPT_BYTES, atomic_load(&kept));
        } else {
            return 2;
        }
        fflush(stdout);
    }
    _exit(0);
}
