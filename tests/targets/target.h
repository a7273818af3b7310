/* target.h: what every target needs: its arguments, a steady pace, and memory the optimiser cannot remove.
 *
 * All programs that take time accept the same arguments:
 *   --objects N   objects to leak (or, in healthy programs, to hold at the most)
 *   --size B      bytes of each
 *   --seconds S   time over which they are spread; 0 runs flat out
 *   --threads T   threads, where a target has any
 * A leak of 20 MB in 12 seconds is `--objects 5000 --size 4096 --seconds 12`.
 *
 * Each target's header comment holds one line "expect:", read by the tests:
 *   expect: leak FUNCTION...     each FUNCTION is reported; its leaking line ends in a comment saying LEAK
 *   expect: recorded FUNCTION... the bytes of each FUNCTION are booked, no verdict is asked for
 *   expect: silence              nothing is reported at a confidence of 0.5 or more
 *   expect: exit N               it ends with status N (128+n: by signal n), watched or not
 */
#ifndef TARGET_H
#define TARGET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TARGET_NOINLINE __attribute__((noinline, noclone))

struct target_options {
    long objects;
    long size;
    double seconds;
    long threads;
};

/* Overwrites the defaults in `options` with what the command line says; a mistake ends the program with 2. */
__attribute__((unused)) static void target_parse(int argc, char **argv, struct target_options *options) {
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[++i] : "";
        double number = strtod(value, &end);
        int valid = end != value && *end == '\0' && number >= 0;
        if (valid && strcmp(name, "--objects") == 0) {
            options->objects = (long)number;
        } else if (valid && strcmp(name, "--size") == 0 && number >= 1) {
            options->size = (long)number;
        } else if (valid && strcmp(name, "--seconds") == 0) {
            options->seconds = number;
        } else if (valid && strcmp(name, "--threads") == 0 && number >= 1) {
            options->threads = (long)number;
        } else {
            fprintf(stderr, "%s: bad argument %s %s (usage: --objects N --size B --seconds S --threads T)\n",
                    argv[0], name, value);
            exit(2);
        }
    }
}

__attribute__((unused)) static double target_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sleeps until `due` (on target_now's clock), unless it is less than half a millisecond away. */
__attribute__((unused)) static void target_sleep_until(double due) {
    if (due - target_now() < 0.0005) {
        return;
    }
    struct timespec at;
    at.tv_sec = (time_t)due;
    at.tv_nsec = (long)((due - (double)at.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

/* Waits until step `done` of `total` is due, when `seconds` are spread evenly over the steps from `start` on. */
__attribute__((unused)) static void target_pace(double start, long done, long total, double seconds) {
    if (total > 0 && seconds > 0) {
        target_sleep_until(start + seconds * (double)done / (double)total);
    }
}

/* Writes every byte, so that the memory is really resident, and hides the block from the optimiser. */
__attribute__((unused)) static void *target_touch(void *block, size_t size, int byte) {
    if (block == NULL) {
        fprintf(stderr, "target: out of memory\n");
        _exit(3);
    }
    memset(block, byte, size);
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* Whether every byte still is what target_touch wrote. */
__attribute__((unused)) static int target_intact(const void *block, size_t size, int byte) {
    const unsigned char *bytes = (const unsigned char *)block;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (unsigned char)byte) {
            return 0;
        }
    }
    return 1;
}

/* Ends the program with `status` when `condition` does not hold. */
__attribute__((unused)) static void target_check(int condition, const char *what, int status) {
    if (!condition) {
        fprintf(stderr, "target: %s (errno %d)\n", what, errno);
        _exit(status);
    }
}

/* One request's worth of ordinary work: three blocks taken and given back. */
__attribute__((unused)) static void target_traffic(long request) {
    char *line = (char *)target_touch(malloc(64 + (size_t)(request % 200)), 64, 1);
    char *body = (char *)target_touch(malloc(512 + (size_t)(request % 1000)), 512, 2);
    char *reply = (char *)target_touch(malloc(256), 256, 3);
    free(body);
    free(line);
    free(reply);
}

#endif
