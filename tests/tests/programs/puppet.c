/* puppet: does what it is told on its standard input, one order a line, and answers each with one line.
 *
 *   hold COUNT MIN MAX   takes blocks of random sizes and keeps them: "held COUNT BYTES"
 *   drop                 gives all of them back: "dropped"
 *   churn COUNT SIZE     takes and gives back: "churned"
 *   fork BYTES           a child grows, takes so many bytes and exits; its status: "child N"
 *   grow                 waits until it is old enough to be watched although others were before it: "grown"
 *   run COMMAND          system(3): "ran N"
 *   peak                 the largest address space so far: "peak KIB"
 *   preloaded            "preloaded yes" if a library before libc defines malloc
 *   exit N, _exit N, abort, kill, close (every descriptor, then _exit 0)
 *
 * Without an order it waits; at the end of its input it exits with 0. It checks its blocks when it gives them back: 11.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS_MAX 50000

static char *blocks[BLOCKS_MAX];
static size_t sizes[BLOCKS_MAX];
static size_t count;
static uint64_t state = 88172645463325252U;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

__attribute__((noinline, noclone)) static char *keep_block(size_t size) {
    char *block = malloc(size);
    if (block == NULL) {
        _exit(3);
    }
    memset(block, (int)(size & 0x7f), size);
    return block;
}

static void hold(long wanted, long min, long max) {
    size_t bytes = 0;
    for (long i = 0; i < wanted && count < BLOCKS_MAX; i++) {
        size_t size = (size_t)min + next_random() % (size_t)(max - min + 1);
        blocks[count] = keep_block(size);
        sizes[count++] = size;
        bytes += size;
    }
    printf("held %ld %zu\n", wanted, bytes);
}

static void drop(void) {
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            if (blocks[i][at] != (char)(sizes[i] & 0x7f)) {
                _exit(11);
            }
        }
        free(blocks[i]);
    }
    count = 0;
    printf("dropped\n");
}

static void churn(long times, long size) {
    for (long i = 0; i < times; i++) {
        free(keep_block((size_t)size));
    }
    printf("churned\n");
}

/* Not the session's first, a process is watched from its second second on. */
static void grow(void) {
    struct timespec rest = {1, 100000000};
    while (nanosleep(&rest, &rest) != 0) {
    }
}

static void fork_child(long bytes) {
    pid_t child = fork();
    if (child == 0) {
        /* Its age counts from the first sample that is due in it. */
        for (int i = 0; i < 100; i++) {
            keep_block(1000);
        }
        grow();
        for (long taken = 0; taken < bytes; taken += 1000) {
            keep_block(1000);
        }
        exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}

static void peak(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "VmPeak: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    printf("peak %ld\n", kib);
}

static void preloaded(void) {
    void *first = dlsym(RTLD_DEFAULT, "malloc");
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    printf("preloaded %s\n", libc != NULL && first != dlsym(libc, "malloc") ? "yes" : "no");
}

int main(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    static char output[4096];
    setvbuf(stdout, output, _IOLBF, sizeof output);
    printf("ready %d\n", (int)getpid());
    static char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        long a = 0, b = 0, c = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "hold %ld %ld %ld", &a, &b, &c) == 3) {
            hold(a, b, c);
        } else if (strcmp(line, "drop") == 0) {
            drop();
        } else if (sscanf(line, "churn %ld %ld", &a, &b) == 2) {
            churn(a, b);
        } else if (sscanf(line, "fork %ld", &a) == 1) {
            fork_child(a);
        } else if (strncmp(line, "run ", 4) == 0) {
            printf("ran %d\n", system(line + 4));
        } else if (strcmp(line, "grow") == 0) {
            grow();
            printf("grown\n");
        } else if (strcmp(line, "peak") == 0) {
            peak();
        } else if (strcmp(line, "preloaded") == 0) {
            preloaded();
        } else if (sscanf(line, "exit %ld", &a) == 1) {
            exit((int)a);
        } else if (sscanf(line, "_exit %ld", &a) == 1) {
            _exit((int)a);
        } else if (strcmp(line, "abort") == 0) {
            abort();
        } else if (strcmp(line, "kill") == 0) {
            raise(SIGKILL);
        } else if (strcmp(line, "close") == 0) {
            syscall(SYS_close_range, 0U, UINT_MAX, 0U);
            free(keep_block(1 << 20));
            _exit(0);
        } else {
            printf("what is '%s'?\n", line);
        }
    }
    return 0;
}
