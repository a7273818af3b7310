/* sites: sixteen places in the program that hold known numbers of bytes, for estimates that are made of samples.
 *
 *   sites SEED INTERVAL
 *
 * Site N holds about EXPECTED x INTERVAL bytes in blocks of one of four size laws, more than it keeps: some are given
 * back, some grow by realloc. Two threads share the sites, and their allocations alternate at random. A block's size
 * modulo 32 is 2 N + 1, so that a sample tells where it comes from. Prints "site BYTES COUNT" for each, what is really
 * alive, then "ready", and waits for the end of its input.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SITES 16
#define BLOCKS_MAX 40000

static const double expected[4] = {4, 8, 15, 30};

struct site {
    char *blocks[BLOCKS_MAX];
    size_t sizes[BLOCKS_MAX];
    size_t count, bytes, wanted;
};

static struct site sites[SITES];
static double interval;

struct worker {
    uint64_t state;
    int first;
};

static uint64_t draw(struct worker *worker) {
    worker->state ^= worker->state << 13;
    worker->state ^= worker->state >> 7;
    worker->state ^= worker->state << 17;
    return worker->state >> 11;
}

/* One of the sizes of a law, with the site's mark. */
static size_t size_of(struct worker *worker, int number) {
    size_t size = 0;
    switch (number / 4) {
    case 0:
        size = 256;
        break;
    case 1:
        size = 4096;
        break;
    case 2:
        size = (size_t)64 << (draw(worker) % 11);
        break;
    default:
        size = draw(worker) % 20 == 0 ? (size_t)(interval * 2) : 1024;
    }
    return size / 32 * 32 + (size_t)(2 * number + 1);
}

__attribute__((noinline, noclone)) static char *take(size_t size) {
    char *block = malloc(size);
    if (block == NULL) {
        _exit(3);
    }
    block[0] = 1;
    return block;
}

static void step(struct worker *worker, int number) {
    struct site *site = &sites[number];
    if (site->count == BLOCKS_MAX) {
        return;
    }
    size_t size = size_of(worker, number);
    char *block = take(size);
    uint64_t fate = draw(worker) % 8;
    if (fate < 3) {
        free(block);
        return;
    }
    if (fate == 3) {
        size += (draw(worker) % 8) * 32;
        block = realloc(block, size);
    }
    site->blocks[site->count] = block;
    site->sizes[site->count++] = size;
    site->bytes += size;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (int open = 1; open;) {
        open = 0;
        for (int i = 0; i < SITES / 2; i++) {
            int number = worker->first + i;
            if (sites[number].bytes < sites[number].wanted && sites[number].count < BLOCKS_MAX) {
                open = 1;
                if (draw(worker) % 3 != 0) {
                    step(worker, number);
                }
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    uint64_t seed = strtoull(argv[1], NULL, 10) * 0x9E3779B97F4A7C15U + 0x1234567;
    interval = strtod(argv[2], NULL);
    for (int i = 0; i < SITES; i++) {
        sites[i].wanted = (size_t)(expected[i % 4] * interval);
    }
    struct worker workers[2] = {{seed | 1, 0}, {(seed ^ 0xABCDEF0123456789U) | 1, SITES / 2}};
    pthread_t second;
    if (pthread_create(&second, NULL, work, &workers[1]) != 0) {
        return 3;
    }
    work(&workers[0]);
    pthread_join(second, NULL);
    for (int i = 0; i < SITES; i++) {
        printf("site %zu %zu\n", sites[i].bytes, sites[i].count);
    }
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
}
