/* holding.h: what a program holds, so that it can be compared with what MemGuard believes it holds.
 *
 * With --hold the program stops after each phase: it says "phase NAME N" and N lines "FD CLASS" on its standard output, in
 * the order of the numbers, and goes on when it gets a line. CLASS is what crates/segment calls such a descriptor, or "-"
 * where the door cannot be seen. Without --hold it says the same and goes on.
 */
#ifndef HOLDING_H
#define HOLDING_H

#include "target.h"

#include <fcntl.h>

#define HOLDING_MAX 128

struct holding {
    int fd;
    const char *class_word;
};

static struct holding holding[HOLDING_MAX];
static int holding_count;
static int holding_stops;

/* The program holds this from now on; as a new class if it held it already. A negative number ends the program with 10. */
__attribute__((unused)) static int hold(int fd, const char *class_word) {
    if (fd < 0) {
        fprintf(stderr, "target: no %s (errno %d)\n", class_word, errno);
        exit(10);
    }
    int at = 0;
    while (at < holding_count && holding[at].fd < fd) {
        at++;
    }
    if (at == holding_count || holding[at].fd != fd) {
        target_check(holding_count < HOLDING_MAX, "too much is held", 10);
        memmove(&holding[at + 1], &holding[at], (size_t)(holding_count - at) * sizeof holding[0]);
        holding_count++;
    }
    holding[at].fd = fd;
    holding[at].class_word = class_word;
    return fd;
}

/* The program does not hold this any more. */
__attribute__((unused)) static int drop(int fd) {
    for (int at = 0; at < holding_count; at++) {
        if (holding[at].fd == fd) {
            holding_count--;
            memmove(&holding[at], &holding[at + 1], (size_t)(holding_count - at) * sizeof holding[0]);
            return fd;
        }
    }
    fprintf(stderr, "target: %d is not held\n", fd);
    exit(10);
}

/* The end of a phase. Every number that is held is open, and no other. */
__attribute__((unused)) static void phase(const char *name) {
    int at = 0;
    printf("phase %s %d\n", name, holding_count);
    for (int fd = 3; fd < 1024; fd++) {
        int open_now = fcntl(fd, F_GETFD) != -1;
        int held = at < holding_count && holding[at].fd == fd;
        if (held) {
            printf("%d %s\n", fd, holding[at++].class_word);
        }
        if (open_now != held) {
            fprintf(stderr, "target: after %s %d is %s\n", name, fd, open_now ? "open" : "closed");
            exit(11);
        }
    }
    fflush(stdout);
    char line[64];
    if (holding_stops && fgets(line, sizeof line, stdin) == NULL) {
        exit(12);
    }
}

/* Takes --hold out of the arguments. */
__attribute__((unused)) static int holding_arguments(int argc, char **argv) {
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--hold") == 0) {
            holding_stops = 1;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    /* What was inherited is not the program's: the harness hands nothing on, a shell may. */
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    return kept;
}

#endif
