/* objects.h: pairs of calls that make an object of the kernel's and give it back, for pairs, which makes many of one kind, and for
 * turns, which makes them by two ways. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The functions that make and end. */
#define EACH_MAKER(DO) \
    DO(open) DO(close) DO(pipe) DO(socket) DO(accept) DO(timerfd_create) DO(pthread_create) DO(pthread_join) DO(mmap) DO(munmap)

struct makers {
#define MAKER(name) __typeof__(name) *name;
    EACH_MAKER(MAKER)
#undef MAKER
};

/* What the program is bound to. */
#define BOUND(name) .name = name,
static const struct makers bound_makers = {EACH_MAKER(BOUND)};
#undef BOUND

static struct sockaddr_in address;
static int listener;

static void need(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static inline void open_and_close(const struct makers *with, const char *path) {
    int fd = with->open(path, O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && with->close(fd) == 0, path);
}

static inline void pair_open(const struct makers *with) {
    open_and_close(with, "/dev/null");
}

static inline void pair_file(const struct makers *with) {
    open_and_close(with, "/etc/passwd");
}

static inline void pair_socket(const struct makers *with) {
    int fd = with->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && with->close(fd) == 0, "socket");
}

static inline void pair_pipe(const struct makers *with) {
    int ends[2];
    need(with->pipe(ends) == 0 && with->close(ends[0]) == 0 && with->close(ends[1]) == 0, "pipe");
}

static inline void pair_timerfd(const struct makers *with) {
    int fd = with->timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    need(fd >= 0 && with->close(fd) == 0, "timerfd");
}

static void listen_somewhere(void) {
    socklen_t length = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0, "listen");
    need(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
}

/* The client resets the connection, so that no port waits for strays. */
static inline void pair_accept(const struct makers *with) {
    struct linger reset = {1, 0};
    int client = with->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(connect(client, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    int server = with->accept(listener, NULL, NULL);
    need(server >= 0 && setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "accept");
    need(with->close(client) == 0 && with->close(server) == 0, "close");
}

static void *nothing(void *argument) {
    return argument;
}

static inline void pair_thread(const struct makers *with) {
    pthread_t thread;
    need(with->pthread_create(&thread, NULL, nothing, NULL) == 0 && with->pthread_join(thread, NULL) == 0, "pthread_create");
}

static inline void pair_map(const struct makers *with) {
    void *memory = with->mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED && with->munmap(memory, 16384) == 0, "mmap");
}

/* The words of all kinds, for who gave another. */
#define KINDS "open|file|socket|pipe|accept|timerfd|thread|map"

/* Every kind: a word for it, its pair, and what has to be done before. */
static const struct kind {
    const char *name;
    void (*pair)(const struct makers *);
    void (*before)(void);
} kinds[] = {{"open", pair_open, NULL},
             {"file", pair_file, NULL},
             {"socket", pair_socket, NULL},
             {"pipe", pair_pipe, NULL},
             {"accept", pair_accept, listen_somewhere},
             {"timerfd", pair_timerfd, NULL},
             {"thread", pair_thread, NULL},
             {"map", pair_map, NULL}};

/* The kind of this name, or NULL. */
static inline const struct kind *kind_of(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

#endif
