/* pairs: a resource is made and given back at once, again and again. pairs PAIRS WHAT
 *
 * open     open and close of /dev/null          pipe     pipe and two closes
 * socket   socket and close                     timerfd  timerfd_create and close
 * accept   connect, accept, two closes          thread   pthread_create and pthread_join
 * map      mmap and munmap of four pages
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct sockaddr_in address;
static int listener;

static void need(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void pair_open(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && close(fd) == 0, "open");
}

static void pair_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && close(fd) == 0, "socket");
}

static void pair_pipe(void) {
    int ends[2];
    need(pipe(ends) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0, "pipe");
}

static void pair_timerfd(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    need(fd >= 0 && close(fd) == 0, "timerfd");
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
static void pair_accept(void) {
    struct linger reset = {1, 0};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(connect(client, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    int server = accept(listener, NULL, NULL);
    need(server >= 0 && setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "accept");
    need(close(client) == 0 && close(server) == 0, "close");
}

static void *nothing(void *argument) {
    return argument;
}

static void pair_thread(void) {
    pthread_t thread;
    need(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0, "pthread_create");
}

static void pair_map(void) {
    void *memory = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED && munmap(memory, 16384) == 0, "mmap");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*pair)(void);
        void (*before)(void);
    } kinds[] = {{"open", pair_open, NULL},       {"socket", pair_socket, NULL},
                 {"pipe", pair_pipe, NULL},       {"accept", pair_accept, listen_somewhere},
                 {"timerfd", pair_timerfd, NULL}, {"thread", pair_thread, NULL},
                 {"map", pair_map, NULL}};
    long pairs = bench_count(argc, argv, 100000);
    for (size_t kind = 0; argc > 2 && kind < sizeof kinds / sizeof kinds[0]; kind++) {
        if (strcmp(argv[2], kinds[kind].name) == 0) {
            if (kinds[kind].before != NULL) {
                kinds[kind].before();
            }
            for (long i = 0; i < pairs; i++) {
                kinds[kind].pair();
            }
            return 0;
        }
    }
    fprintf(stderr, "usage: pairs PAIRS open|socket|pipe|accept|timerfd|thread|map\n");
    return 2;
}
