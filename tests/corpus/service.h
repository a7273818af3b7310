/* service.h: what the corpus' C and C++ programs share: the clock, requests at random times, and the ledger.
 *
 * In: --seconds S on the command line. A program serves requests that come at random (exponential gaps) at a mean rate, and
 * sleeps between them as services do; a job does not ask for requests and looks at service_running() instead. What a program
 * does over time depends on service_progress(), so that it does the same in more or fewer seconds. Random numbers have a
 * fixed seed per program. Out: one line, "NAME: requests=R leaked=L held=H": what the program itself counted as lost for
 * ever, and what it rightly holds at its end. The scorer compares the line with the label.
 */
#ifndef SERVICE_H
#define SERVICE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVICE_NOINLINE __attribute__((noinline, noclone))
#define SERVICE_MAYBE __attribute__((unused)) static

static struct {
    const char *name;
    double start, seconds, due, gap;
    unsigned long requests;
    uint64_t random;
} service;

SERVICE_MAYBE double service_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

SERVICE_MAYBE void service_sleep(double seconds) {
    struct timespec span = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (seconds > 0 && nanosleep(&span, &span) != 0 && errno == EINTR) {
    }
}

/* Ends the program with 3 when the system refuses something. */
SERVICE_MAYBE void service_need(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s: no %s (%s)\n", service.name, what, strerror(errno));
        exit(3);
    }
}

/* A random number in [0, 1), the same on every run (xorshift). */
SERVICE_MAYBE double service_uniform_of(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

SERVICE_MAYBE double service_uniform(void) { return service_uniform_of(&service.random); }

SERVICE_MAYBE unsigned long service_below(unsigned long limit) {
    return (unsigned long)(service_uniform() * (double)limit);
}

SERVICE_MAYBE double service_exponential(double mean) { return -mean * log(1.0 - service_uniform()); }

/* `rate` is the mean number of requests a second. */
SERVICE_MAYBE void service_start(int argc, char **argv, double rate) {
    char *end = NULL;
    const char *slash = strrchr(argv[0], '/');
    service.name = slash != NULL ? slash + 1 : argv[0];
    service.seconds = 6;
    if (argc > 1) {
        service.seconds = argc == 3 && strcmp(argv[1], "--seconds") == 0 ? strtod(argv[2], &end) : 0;
        if (end == NULL || *end != '\0' || !(service.seconds > 0)) {
            fprintf(stderr, "%s: usage: %s [--seconds S]\n", service.name, service.name);
            exit(2);
        }
    }
    service.random = 88172645463325252ULL;
    for (const char *c = service.name; *c != '\0'; c++) {
        service.random = service.random * 31 + (unsigned char)*c;
    }
    service.gap = 1.0 / rate;
    service.start = service.due = service_now();
}

/* Share of the run that is over. */
SERVICE_MAYBE double service_progress(void) {
    double progress = (service_now() - service.start) / service.seconds;
    return progress < 1.0 ? progress : 1.0;
}

SERVICE_MAYBE int service_running(void) { return service_progress() < 1.0; }

/* From now on requests come at this mean rate. */
SERVICE_MAYBE void service_rate(double rate) { service.gap = 1.0 / rate; }

/* Waits for the next request; 0 when the time is over. After a hold-up requests come at once, but not a second's worth. */
SERVICE_MAYBE int service_next(void) {
    double now = service_now();
    service.due += service_exponential(service.gap);
    if (service.due < now - 1.0) {
        service.due = now - 1.0;
    }
    if (service.due - now > 0.0002) {
        service_sleep(service.due - now);
    }
    service.requests++;
    return service_running();
}

/* Writes every byte, so that memory is resident, and hides the block from the optimiser. */
SERVICE_MAYBE void *service_fill(void *block, size_t size) {
    service_need(block != NULL, "memory");
    memset(block, (int)(size & 0x7f) + 1, size);
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* The ordinary work of one request: blocks taken and given back at once. */
SERVICE_MAYBE void service_work(void) {
    char *head = (char *)service_fill(malloc(64 + service_below(200)), 64);
    char *body = (char *)service_fill(malloc(300 + service_below(4000)), 300);
    char *reply = (char *)service_fill(malloc(256), 256);
    free(body);
    free(head);
    free(reply);
}

/* Says what was counted; returns the status to end with. */
SERVICE_MAYBE int service_say(unsigned long leaked, unsigned long held) {
    printf("%s: requests=%lu leaked=%lu held=%lu\n", service.name, service.requests, leaked, held);
    return fflush(stdout) != 0 ? 3 : 0;
}

/* Says it and ends the program at once, as a service that is told to stop: what it holds it holds to its end, and no
 * destructor tidies up. `failed` says that it did not do what it was written for. */
SERVICE_MAYBE void service_end(unsigned long leaked, unsigned long held, int failed) {
    int status = service_say(leaked, held);
    _exit(failed ? 3 : status);
}

#endif
