/* healthy_descriptors: descriptors without a name, all closed, some late.
 *
 * pipes             both ends, written, read and closed; one in ten lives for up to a third of the run
 * eventfds          likewise
 * memfds            likewise
 * received          comes over a socket and is closed after use
 * epoll_per_thread  each of six threads has an instance from its start to its end, and with it an eventfd
 * by_range          ten at once, closed by close_range
 *
 * expect: silence
 * what: pipes eventfds memfds received epoll_per_thread by_range
 */
#include "variant.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SLOTS 64
#define THREADS 6

static struct lifetime slots[SLOTS];
static int channel[2];
static pthread_t threads[THREADS];
static int wake[THREADS];

/* A descriptor as a pointer that is not null. */
static void *boxed(int fd) {
    return (void *)(intptr_t)(fd + 1);
}

static int unboxed(void *thing) {
    return (int)(intptr_t)thing - 1;
}

static void *turn_pipe(void *thing) {
    static int other_end[4096];
    int ends[2];
    if (thing != NULL) {
        char byte;
        int reading = unboxed(thing);
        need(write(other_end[reading], "x", 1) == 1 && read(reading, &byte, 1) == 1, "through the pipe");
        close(other_end[reading]);
        close(reading);
        return NULL;
    }
    need(pipe2(ends, O_CLOEXEC) == 0 && ends[0] < 4096, "pipe2");
    other_end[ends[0]] = ends[1];
    return boxed(ends[0]);
}

static void *turn_eventfd(void *thing) {
    if (thing != NULL) {
        close(unboxed(thing));
        return NULL;
    }
    int fd = eventfd(1, EFD_CLOEXEC);
    use_descriptor(fd, "eventfd");
    return boxed(fd);
}

static void *turn_memfd(void *thing) {
    if (thing != NULL) {
        close(unboxed(thing));
        return NULL;
    }
    int fd = memfd_create("buffer", MFD_CLOEXEC);
    use_descriptor(fd, "memfd_create");
    return boxed(fd);
}

static void pipes(long request) {
    lifetimes(slots, SLOTS, request, turn_pipe);
}

static void end_pipes(void) {
    lifetimes(slots, SLOTS, -1, turn_pipe);
}

static void eventfds(long request) {
    lifetimes(slots, SLOTS, request, turn_eventfd);
}

static void end_eventfds(void) {
    lifetimes(slots, SLOTS, -1, turn_eventfd);
}

static void memfds(long request) {
    lifetimes(slots, SLOTS, request, turn_memfd);
}

static void end_memfds(void) {
    lifetimes(slots, SLOTS, -1, turn_memfd);
}

static void begin_channel(const struct target_options *options) {
    (void)options;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == 0, "socketpair");
}

static void received(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC);
    char byte = 'd', room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    need(sendmsg(channel[0], &message, 0) == 1, "sendmsg");
    close(fd);
    need(recvmsg(channel[1], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    use_descriptor(fd, "recvmsg");
    close(fd);
    variant_note((uint64_t)request);
}

static void *loop(void *event) {
    int instance = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    need(epoll_ctl(instance, EPOLL_CTL_ADD, *(int *)event, &wanted) == 0, "epoll_ctl");
    need(epoll_wait(instance, &got, 1, -1) == 1, "epoll_wait");
    close(instance);
    return NULL;
}

static void begin_loops(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < THREADS; i++) {
        wake[i] = eventfd(0, EFD_CLOEXEC);
        need(wake[i] >= 0 && pthread_create(&threads[i], NULL, loop, &wake[i]) == 0, "pthread_create");
    }
}

static void end_loops(void) {
    for (int i = 0; i < THREADS; i++) {
        uint64_t one = 1;
        need(write(wake[i], &one, sizeof one) == sizeof one, "write");
        pthread_join(threads[i], NULL);
        close(wake[i]);
    }
}

static void only_count(long request) {
    variant_note((uint64_t)request);
}

static void by_range(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC), last = fd;
    for (int i = 0; i < 10; i++) {
        last = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    }
    need(last == 109 && close_range(100, 109, 0) == 0 && fcntl(105, F_GETFD) == -1, "close_range");
    close(fd);
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"pipes", NULL, pipes, end_pipes},
    {"eventfds", NULL, eventfds, end_eventfds},
    {"memfds", NULL, memfds, end_memfds},
    {"received", begin_channel, received, NULL},
    {"epoll_per_thread", begin_loops, only_count, end_loops},
    {"by_range", NULL, by_range, NULL},
};
VARIANT_MAIN("healthy_descriptors", variants)
