/* A small service with one leak, for trying MemGuard:
 *
 *     cc -g -O2 -o leaky_server examples/leaky_server.c
 *     memguard run -- ./leaky_server        (ends by itself after half a minute, or press Ctrl-C)
 *     memguard report
 *
 * It answers 5,000 made-up requests a second. One in ten is malformed, and for those the early return in
 * parse_request forgets the buffer. The session table grows to its limit and stays: not a leak.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REQUESTS_PER_TICK = 50, TICKS = 3000, BUFFER_BYTES = 2560, SESSIONS = 1000 };

static char *sessions[SESSIONS];
static unsigned long checksum;

static char *parse_request(unsigned number) {
    char *buffer = malloc(BUFFER_BYTES);
    if (buffer == NULL) return NULL;
    size_t used = 0;
    for (unsigned header = 0; header < 100; header++)
        used += (size_t)snprintf(buffer + used, BUFFER_BYTES - used, "X-Header-%u: %u\r\n", header, number * header);
    if (number % 10 == 0) return NULL; /* malformed: the buffer is forgotten */
    return buffer;
}

static unsigned long answer(const char *request) {
    unsigned long sum = 0;
    for (int round = 0; round < 20; round++)
        for (const char *at = request; *at != '\0'; at++) sum = sum * 31 + (unsigned char)*at;
    return sum;
}

static void handle_request(unsigned number) {
    char *request = parse_request(number);
    if (request == NULL) return;
    checksum += answer(request);
    if (number % 10 == 1) {
        char **session = &sessions[number / 10 % SESSIONS];
        free(*session);
        *session = strdup(request);
    }
    free(request);
}

int main(void) {
    const struct timespec tick = {.tv_sec = 0, .tv_nsec = 10 * 1000 * 1000};
    unsigned number = 0;
    for (int i = 0; i < TICKS; i++) {
        for (int j = 0; j < REQUESTS_PER_TICK; j++) handle_request(number++);
        nanosleep(&tick, NULL);
    }
    printf("answered %u requests, checksum %lu\n", number, checksum);
    return 0;
}
