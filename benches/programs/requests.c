/* requests: an open-loop client on 127.0.0.1 that measures how long answers take. requests http|redis PORT RATE SECONDS LINKS
 *
 * Requests are due at fixed times, RATE a second, whatever the server does: each is sent on the next idle one of LINKS kept
 * connections, and waits where none is idle. What counts is the time from when it was due to the last byte of its answer, so a pause
 * of the server is seen by all requests that fall into it. The first tenth is left out. Prints one JSON object: percentiles and
 * the longest in ns, requests a second that were answered.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 256
#define VALUE "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"

struct link {
    int fd;
    int64_t due_ns; /* of the request under way; 0 if idle */
    size_t have;
    char answer[16384];
};

static struct link links[LINKS_MAX];
static struct pollfd polled[LINKS_MAX];

static void need(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "requests: %s\n", what);
        exit(1);
    }
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int connected(const struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    need(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

/* The length of the whole answer; 0 if that is not known yet. */
static size_t whole_http(const char *answer) {
    const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
    return body == NULL || length == NULL ? 0 : (size_t)(body + 4 - answer) + (size_t)atol(length + 16);
}

static size_t whole_redis(const char *answer) {
    const char *line = strstr(answer, "\r\n");
    if (line == NULL) {
        return 0;
    }
    size_t head = (size_t)(line + 2 - answer);
    return answer[0] != '$' || answer[1] == '-' ? head : head + (size_t)atol(answer + 1) + 2;
}

static size_t request(char *text, size_t room, int redis, uint64_t *random) {
    if (!redis) {
        return (size_t)snprintf(text, room, "GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    char key[32];
    uint64_t drawn = bench_random(random);
    int length = snprintf(key, sizeof key, "key:%d", (int)(drawn % 20000));
    if (drawn >> 63) {
        return (size_t)snprintf(text, room, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", length, key);
    }
    return (size_t)snprintf(text, room, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n%s\r\n", length, key, strlen(VALUE), VALUE);
}

static void ask(struct link *link, int redis, uint64_t *random) {
    char text[512];
    size_t bytes = request(text, sizeof text, redis, random);
    need(write(link->fd, text, bytes) == (ssize_t)bytes, "cannot write");
    link->have = 0;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    need(argc == 6, "usage: requests http|redis PORT RATE SECONDS LINKS");
    int redis = strcmp(argv[1], "redis") == 0;
    long rate = atol(argv[3]), seconds = atol(argv[4]), count = atol(argv[5]);
    need(rate > 0 && seconds > 0 && count > 0 && count <= LINKS_MAX, "RATE, SECONDS and LINKS (at most 256) are numbers above 0");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (long i = 0; i < count; i++) {
        links[i].fd = connected(&address);
        polled[i] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
    }
    long all = rate * seconds, sent = 0, answered = 0;
    int64_t *took_ns = calloc((size_t)all, sizeof *took_ns);
    need(took_ns != NULL, "no memory for so many requests");
    uint64_t random = BENCH_SEED;
    int64_t start_ns = now_ns(), gap_ns = INT64_C(1000000000) / rate;
    while (answered < all) {
        int64_t now = now_ns();
        for (long i = 0; i < count && sent < all && start_ns + sent * gap_ns <= now; i++) {
            if (links[i].due_ns == 0) {
                ask(&links[i], redis, &random);
                links[i].due_ns = start_ns + sent++ * gap_ns;
            }
        }
        int64_t next = sent < all ? start_ns + sent * gap_ns - now_ns() : 1000000;
        /* Spinning rather than sleeping for less than the kernel's slack: this client is not what is measured. */
        need(poll(polled, (nfds_t)count, next > 2000000 ? 1 : 0) >= 0 || errno == EINTR, "cannot wait");
        for (long i = 0; i < count; i++) {
            if (polled[i].revents == 0) {
                continue;
            }
            struct link *link = &links[i];
            ssize_t bytes = read(link->fd, link->answer + link->have, sizeof link->answer - 1 - link->have);
            if (bytes <= 0) {
                /* Servers end a connection after some number of requests; what was asked meanwhile is asked again. */
                close(link->fd);
                polled[i].fd = link->fd = connected(&address);
                if (link->due_ns != 0) {
                    ask(link, redis, &random);
                }
                continue;
            }
            link->have += (size_t)bytes;
            link->answer[link->have] = 0;
            size_t whole = redis ? whole_redis(link->answer) : whole_http(link->answer);
            need(whole < sizeof link->answer, "too long an answer");
            if (whole != 0 && link->have >= whole) {
                took_ns[answered++] = now_ns() - link->due_ns;
                link->due_ns = 0;
            }
        }
    }
    double lasted_s = (double)(now_ns() - start_ns) / 1e9;
    int64_t *kept = took_ns + all / 10;
    size_t number = (size_t)(all - all / 10);
    qsort(kept, number, sizeof *kept, ascending);
    printf("{\"p50\": %ld, \"p99\": %ld, \"p99.9\": %ld, \"max\": %ld, \"answered_per_s\": %.0f}\n", (long)kept[number / 2],
           (long)kept[number * 99 / 100], (long)kept[number * 999 / 1000], (long)kept[number - 1], (double)all / lasted_s);
    free(took_ns);
    return 0;
}
