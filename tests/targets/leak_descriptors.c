/* leak_descriptors: a service that forgets descriptors without a name.
 *
 * In keep_pipe_end only the end for reading is closed; in keep_received the descriptor came over a socket.
 *
 * expect: leak keep_pipe_end keep_eventfd keep_memfd keep_shm keep_received keep_epoll keep_inotify keep_signalfd keep_pty
 * kind: keep_pipe_end pipe-end-not-closed
 * kind: keep_eventfd eventfd-not-closed
 * kind: keep_memfd memfd-not-closed
 * kind: keep_shm memfd-not-closed
 * kind: keep_received fd-received-not-closed
 * kind: keep_epoll descriptor-not-closed
 * kind: keep_inotify descriptor-not-closed
 * kind: keep_signalfd descriptor-not-closed
 * kind: keep_pty descriptor-not-closed
 */
#include "variant.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

static int channel[2];

static TARGET_NOINLINE void keep_pipe_end(long request) {
    int ends[2];
    int made = pipe2(ends, O_CLOEXEC); /* LEAK */
    need(made == 0, "pipe2");
    use_descriptor(ends[1], "pipe2");
    close(ends[0]);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_eventfd(long request) {
    int fd = eventfd((unsigned)request, EFD_CLOEXEC); /* LEAK */
    use_descriptor(fd, "eventfd");
}

static TARGET_NOINLINE void keep_memfd(long request) {
    int fd = memfd_create("buffer", MFD_CLOEXEC); /* LEAK */
    use_descriptor(fd, "memfd_create");
    need(ftruncate(fd, 4096) == 0, "ftruncate");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_shm(long request) {
    char name[64];
    snprintf(name, sizeof name, "/memguard-target-%ld-%ld", (long)getpid(), request);
    int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600); /* LEAK */
    use_descriptor(fd, "shm_open");
    shm_unlink(name);
}

static void begin_channel(const struct target_options *options) {
    (void)options;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == 0, "socketpair");
}

static void send_descriptor(int fd) {
    char byte = 'd', room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    need(sendmsg(channel[0], &message, 0) == 1, "sendmsg");
}

static TARGET_NOINLINE void keep_received(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC);
    send_descriptor(fd);
    close(fd);
    char byte, room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    ssize_t got = recvmsg(channel[1], &message, MSG_CMSG_CLOEXEC); /* LEAK */
    need(got == 1 && CMSG_FIRSTHDR(&message) != NULL, "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    use_descriptor(fd, "recvmsg");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_epoll(long request) {
    int fd = epoll_create1(EPOLL_CLOEXEC); /* LEAK */
    use_descriptor(fd, "epoll_create1");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_inotify(long request) {
    int fd = inotify_init1(IN_CLOEXEC); /* LEAK */
    use_descriptor(fd, "inotify_init1");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_signalfd(long request) {
    sigset_t which;
    sigemptyset(&which);
    sigaddset(&which, SIGUSR2);
    int fd = signalfd(-1, &which, SFD_CLOEXEC); /* LEAK */
    use_descriptor(fd, "signalfd");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_pty(long request) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); /* LEAK */
    use_descriptor(fd, "posix_openpt");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"keep_pipe_end", NULL, keep_pipe_end, NULL},
    {"keep_eventfd", NULL, keep_eventfd, NULL},
    {"keep_memfd", NULL, keep_memfd, NULL},
    {"keep_shm", NULL, keep_shm, NULL},
    {"keep_received", begin_channel, keep_received, NULL},
    {"keep_epoll", NULL, keep_epoll, NULL},
    {"keep_inotify", NULL, keep_inotify, NULL},
    {"keep_signalfd", NULL, keep_signalfd, NULL},
    {"keep_pty", NULL, keep_pty, NULL},
};
VARIANT_MAIN("leak_descriptors", variants)
