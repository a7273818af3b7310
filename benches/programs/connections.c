/* connections: a client that opens a connection for each request, or keeps one. connections PORT REQUESTS [keep];
 * 127.0.0.1 alone. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static const char closing[] = "GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
static const char keeping[] = "GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n";

static void need(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "connections: %s\n", what);
        exit(1);
    }
}

static int connected(const struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    need(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void ask(int fd, const char *request) {
    need(write(fd, request, strlen(request)) == (ssize_t)strlen(request), "cannot write");
}

/* Bytes until the server closes. */
static void read_to_the_end(int fd) {
    char answer[16384];
    ssize_t bytes = 0, all = 0;
    while ((bytes = read(fd, answer, sizeof answer)) > 0) {
        all += bytes;
    }
    need(all > 100, "a short answer");
}

/* One answer, as long as its header says. */
static void read_one(int fd) {
    char answer[16384];
    size_t have = 0, whole = sizeof answer - 1;
    while (have < whole) {
        ssize_t bytes = read(fd, answer + have, sizeof answer - 1 - have);
        need(bytes > 0, "the server closed");
        have += (size_t)bytes;
        answer[have] = 0;
        const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
        if (body != NULL && length != NULL) {
            whole = (size_t)(body + 4 - answer) + (size_t)atol(length + 16);
            need(whole < sizeof answer, "too long an answer");
        }
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    long requests = argc > 2 ? atol(argv[2]) : 0;
    int keep = argc > 3 && strcmp(argv[3], "keep") == 0;
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = keep ? connected(&address) : -1;
    for (long i = 0; i < requests; i++) {
        if (keep) {
            ask(fd, keeping);
            read_one(fd);
        } else {
            fd = connected(&address);
            ask(fd, closing);
            read_to_the_end(fd);
            close(fd);
        }
    }
    return 0;
}
