/* residence: a program whose resident memory grows in one way, and that says how.
 *
 * usage: residence WHAT SECONDS
 *
 *   fragment   buffers shrunk to a few bytes, each time larger ones: holes that nothing fits into; as many blocks live as before
 *   both       the same, and blocks of 150 KiB that are forgotten
 *   sawtooth   30 MiB taken and given back, again and again
 *   peak       60 MiB at the start, given back but for the last block, then nothing
 *   arenas     a thread a second, each of which takes 3 MiB, gives them back but for the last block, and waits
 *   mappings   mappings of 1 MiB that are forgotten, beside others that are not
 *   stacks     a thread a second that uses 3 MiB of its stack, and waits
 *   file       a file of 48 MiB that is mapped and read bit by bit
 *
 * Amounts are for 15 seconds and shrink with the time. It rests for three seconds before it begins, and for a sixth
 * of the time when it is done; then it says what it holds beside what it began with, in MiB: "free 47.9 heap 0.0 …".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024UL
#define MIB (1024UL * KIB)
#define ROUNDS 30
#define PINS 12000

static double seconds;
static double held_free, held_heap, held_mappings, held_stacks, held_files;

static void need(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(2);
    }
}

static void rest(double time) {
    struct timespec left = {(time_t)time, (long)((time - (double)(time_t)time) * 1e9)};
    while (nanosleep(&left, &left) != 0) {
    }
}

static double mib(size_t bytes) {
    return (double)bytes / MIB;
}

/* Steps on the way, so that shorter runs hold less. */
static int steps(int in_15_seconds) {
    int many = (int)(in_15_seconds * seconds / 15 + 0.5);
    return many > 0 ? many : 1;
}

/* What has gone through here is in use, whatever the compiler thinks. */
static char *volatile in_use;

static char *xmalloc(size_t bytes) {
    char *block = malloc(bytes);
    need(block != NULL, "malloc");
    memset(block, 1, bytes);
    in_use = block;
    return block;
}

static void *pins[PINS];

/* A few bytes stay of a large buffer, in the place of the oldest. */
static __attribute__((noinline)) void keep_little(char *buffer) {
    static size_t oldest;
    free(pins[oldest]);
    pins[oldest] = realloc(buffer, 48);
    oldest = (oldest + 1) % PINS;
}

static __attribute__((noinline)) void forget(size_t bytes) {
    xmalloc(bytes);
    held_heap += mib(bytes);
}

static void fragment(int with_leak) {
    static char *buffers[2048];
    double size = 1536;
    for (int i = 0; i < PINS; i++) {
        pins[i] = xmalloc(48);
    }
    int rounds = steps(ROUNDS);
    for (int round = 0; round < rounds; round++) {
        size_t many = (size_t)(1.6 * MIB / size);
        for (size_t i = 0; i < many; i++) {
            buffers[i] = xmalloc((size_t)size + 64);
        }
        for (size_t i = 0; i < many; i++) {
            keep_little(buffers[i]);
        }
        held_free += mib((size_t)(many * size));
        size *= 1.15;
        for (int i = 0; with_leak && i < 5; i++) {
            forget(150 * KIB);
        }
        rest(seconds / rounds);
    }
}

static void sawtooth(void) {
    enum { MANY = 7680 };
    static char *blocks[MANY];
    int waves = steps(15);
    for (int wave = 0; wave < waves; wave++) {
        for (int i = 0; i < MANY; i++) {
            blocks[i] = xmalloc(4 * KIB);
            if (i % 512 == 0) {
                rest(seconds / waves / 20);
            }
        }
        /* The last block of the first wave stays, so that nothing is given back to the kernel. */
        for (int i = 0; i < MANY - (wave == 0); i++) {
            free(blocks[i]);
        }
        rest(seconds / waves / 4);
    }
    held_free = mib(MANY * 4 * KIB);
}

static void peak(void) {
    enum { MANY = 15360 };
    static char *blocks[MANY];
    for (int i = 0; i < MANY; i++) {
        blocks[i] = xmalloc(4 * KIB);
    }
    for (int i = 0; i < MANY - 1; i++) {
        free(blocks[i]);
    }
    held_free = mib(MANY * 4 * KIB);
    for (int i = 0; i < steps(150); i++) {
        free(xmalloc(2 * KIB));
        rest(seconds / steps(150));
    }
}

static pthread_barrier_t done;

static void *use_arena(void *unused) {
    enum { MANY = 96 };
    char *blocks[MANY];
    for (int i = 0; i < MANY; i++) {
        blocks[i] = xmalloc(32 * KIB);
    }
    for (int i = 0; i < MANY - 1; i++) {
        free(blocks[i]);
    }
    pthread_barrier_wait(&done);
    pause();
    return unused;
}

static __attribute__((noinline)) void deepen(int depth) {
    volatile char room[64 * KIB];
    memset((char *)room, depth, sizeof room);
    if (depth > 0) {
        deepen(depth - 1);
    }
    room[0] = room[1];
}

static void *use_stack(void *unused) {
    deepen(47);
    pthread_barrier_wait(&done);
    pause();
    return unused;
}

static void threads(void *(*start)(void *), double *held) {
    need(pthread_barrier_init(&done, NULL, 2) == 0, "pthread_barrier_init");
    for (int i = 0; i < steps(14); i++) {
        pthread_t thread;
        need(pthread_create(&thread, NULL, start, NULL) == 0, "pthread_create");
        pthread_barrier_wait(&done);
        *held += 3;
        rest(seconds / steps(14));
    }
}

static __attribute__((noinline)) void *map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    memset(memory, 5, bytes);
    return memory;
}

static void mappings(void) {
    int many = steps(45);
    for (int i = 0; i < many; i++) {
        void *kept = map(MIB), *returned = map(2 * MIB);
        need(kept != returned && munmap(returned, 2 * MIB) == 0, "munmap");
        held_mappings += 1;
        rest(seconds / many);
    }
}

static void file(void) {
    char path[] = "/var/tmp/residence-XXXXXX";
    int descriptor = mkstemp(path);
    need(descriptor >= 0, path);
    unlink(path);
    char *block = xmalloc(MIB);
    int many = steps(48);
    for (int i = 0; i < many; i++) {
        need(write(descriptor, block, MIB) == (ssize_t)MIB, "write");
    }
    free(block);
    char *text = mmap(NULL, (size_t)many * MIB, PROT_READ, MAP_SHARED, descriptor, 0);
    need(text != MAP_FAILED, "mmap");
    volatile char sum = 0;
    for (int i = 0; i < many; i++) {
        for (size_t page = 0; page < MIB; page += 4 * KIB) {
            sum += text[(size_t)i * MIB + page];
        }
        held_files += 1;
        rest(seconds / many);
    }
}

int main(int argc, char **argv) {
    seconds = argc == 3 ? atof(argv[2]) : 0;
    const char *what = argc == 3 ? argv[1] : "";
    if (seconds <= 0) {
        fprintf(stderr, "usage: residence WHAT SECONDS\n");
        return 2;
    }
    rest(3);
    if (!strcmp(what, "fragment") || !strcmp(what, "both")) {
        fragment(!strcmp(what, "both"));
    } else if (!strcmp(what, "sawtooth")) {
        sawtooth();
    } else if (!strcmp(what, "peak")) {
        peak();
    } else if (!strcmp(what, "arenas")) {
        threads(use_arena, &held_free);
    } else if (!strcmp(what, "mappings")) {
        mappings();
    } else if (!strcmp(what, "stacks")) {
        threads(use_stack, &held_stacks);
    } else if (!strcmp(what, "file")) {
        file();
    } else {
        fprintf(stderr, "residence: %s is unknown\n", what);
        return 2;
    }
    rest(seconds / 6);
    printf("free %.1f heap %.1f mappings %.1f stacks %.1f files %.1f\n", held_free, held_heap, held_mappings, held_stacks,
           held_files);
    return 0;
}
