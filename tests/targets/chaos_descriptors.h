/* chaos_descriptors.h: descriptors of every kind come and go; pipes and sockets carry patterns.
 *
 * In: a worker's choices. Out: a lost byte, a descriptor that is not ours, or a changed errno ends the run.
 */
#ifndef CHAOS_DESCRIPTORS_H
#define CHAOS_DESCRIPTORS_H

#include "chaos.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

static void fd_close(int fd) {
    errno = EXDEV;
    chaos_check(close(fd) == 0, "close");
    chaos_check(errno == EXDEV, "close changed errno");
}

static TARGET_NOINLINE int fd_new(struct chaos *chaos) {
    int ends[2], fd = -1;
    errno = EXDEV;
    switch (chaos_below(chaos, 9)) {
    case 0:
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        break;
    case 1:
        fd = dup(STDERR_FILENO);
        break;
    case 2:
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        break;
    case 3:
        fd = eventfd(0, EFD_CLOEXEC);
        break;
    case 4:
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        break;
    case 5:
        fd = epoll_create1(EPOLL_CLOEXEC);
        break;
    case 6:
        chaos_check(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
        fd_close(ends[1]);
        fd = ends[0];
        break;
    case 7:
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        break;
    default:
        fd = openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
        break;
    }
    chaos_check(fd > STDERR_FILENO, "no descriptor");
    chaos_check(errno == EXDEV, "a call that succeeded changed errno");
    return fd;
}

static void do_kept_fds(struct chaos *chaos) {
    for (unsigned left = 1 + chaos_below(chaos, 16); left > 0; left--) {
        int *mine = &chaos->fds[chaos_below(chaos, CHAOS_KEPT_FDS)];
        if (*mine >= 0) {
            fd_close(*mine);
            *mine = -1;
        }
        if (chaos_below(chaos, 3) != 0) {
            *mine = fd_new(chaos);
        }
    }
}

static void fds_end(struct chaos *chaos) {
    for (int i = 0; i < CHAOS_KEPT_FDS; i++) {
        if (chaos->fds[i] >= 0) {
            fd_close(chaos->fds[i]);
            chaos->fds[i] = -1;
        }
    }
}

/* What is written at one end comes out at the other. */
static void through(struct chaos *chaos, int in, int out) {
    unsigned char sent[2048], received[sizeof sent];
    size_t bytes = 1 + chaos_below(chaos, sizeof sent);
    memset(sent, (int)chaos_below(chaos, 256), bytes);
    chaos_check(write(in, sent, bytes) == (ssize_t)bytes, "write");
    size_t got = 0;
    while (got < bytes) {
        ssize_t n = read(out, received + got, bytes - got);
        chaos_check(n > 0 || (n < 0 && errno == EINTR), "read");
        got += n > 0 ? (size_t)n : 0;
    }
    chaos_check(memcmp(sent, received, bytes) == 0, "a pipe changed what went through it");
}

static void do_pipes(struct chaos *chaos) {
    int ends[2];
    int is_pipe = (int)chaos_below(chaos, 2);
    chaos_check((is_pipe ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0, "no pipe");
    through(chaos, ends[1], ends[0]);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

/* Descriptors through a socket: what arrives is the same file under another number. */
static void do_passing(struct chaos *chaos) {
    enum { MANY = 3 };
    int ends[2], sent[MANY], got[MANY], count = 1 + (int)chaos_below(chaos, MANY);
    chaos_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    for (int i = 0; i < count; i++) {
        sent[i] = fd_new(chaos);
    }
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof sent)];
    } control;
    memset(&control, 0, sizeof control);
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(first), sent, (size_t)count * sizeof(int));
    chaos_check(sendmsg(ends[0], &message, 0) == 1, "sendmsg");
    message.msg_controllen = sizeof control.space;
    chaos_check(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    first = CMSG_FIRSTHDR(&message);
    chaos_check(first != NULL && first->cmsg_len == CMSG_LEN((size_t)count * sizeof(int)), "descriptors got lost");
    memcpy(got, CMSG_DATA(first), (size_t)count * sizeof(int));
    for (int i = 0; i < count; i++) {
        struct stat one, other;
        chaos_check(fstat(sent[i], &one) == 0 && fstat(got[i], &other) == 0, "fstat");
        chaos_check(one.st_ino == other.st_ino && one.st_dev == other.st_dev, "another file arrived");
        fd_close(sent[i]);
        fd_close(got[i]);
    }
    fd_close(ends[0]);
    fd_close(ends[1]);
}

/* An epoll instance with an event and a timer; registrations are taken back or die with their descriptor. */
static void do_events(struct chaos *chaos) {
    int poll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    chaos_check(poll >= 0 && event >= 0 && timer >= 0, "no instance");
    struct epoll_event wanted = {EPOLLIN, {.fd = event}}, came;
    chaos_check(epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted) == 0, "epoll_ctl");
    struct itimerspec soon = {{0, 0}, {0, 200000}};
    chaos_check(timerfd_settime(timer, 0, &soon, NULL) == 0, "timerfd_settime");
    uint64_t number = 7, expired = 0;
    chaos_check(write(event, &number, sizeof number) == (ssize_t)sizeof number, "write to an eventfd");
    int ready;
    while ((ready = epoll_wait(poll, &came, 1, 10000)) < 0 && errno == EINTR) {
    }
    chaos_check(ready == 1 && came.data.fd == event, "epoll_wait");
    number = 0;
    chaos_check(read(event, &number, sizeof number) == (ssize_t)sizeof number && number == 7, "read of an eventfd");
    ssize_t n;
    while ((n = read(timer, &expired, sizeof expired)) < 0 && errno == EINTR) {
    }
    chaos_check(n == (ssize_t)sizeof expired && expired == 1, "read of a timerfd");
    if (chaos_below(chaos, 2) == 0) {
        chaos_check(epoll_ctl(poll, EPOLL_CTL_DEL, event, NULL) == 0, "epoll_ctl");
    }
    int closed_first = (int)chaos_below(chaos, 2);
    fd_close(closed_first ? poll : event);
    fd_close(closed_first ? event : poll);
    fd_close(timer);
    int notes = inotify_init1(IN_CLOEXEC);
    if (notes >= 0) {
        int watch = inotify_add_watch(notes, "/tmp", IN_DELETE_SELF);
        chaos_check(watch >= 0, "inotify_add_watch");
        chaos_check(chaos_below(chaos, 2) == 0 || inotify_rm_watch(notes, watch) == 0, "inotify_rm_watch");
        fd_close(notes);
    }
}

/* Numbers that belong to this worker alone: opened over each other, and closed as a range. */
static void do_ranges(struct chaos *chaos) {
    int base = chaos->reserved, top = base + 15;
    for (unsigned left = 1 + chaos_below(chaos, 12); left > 0; left--) {
        int onto = base + (int)chaos_below(chaos, 16), fd = fd_new(chaos);
        errno = EXDEV;
        chaos_check((chaos_below(chaos, 2) == 0 ? dup2(fd, onto) : dup3(fd, onto, O_CLOEXEC)) == onto, "dup2");
        chaos_check(errno == EXDEV, "dup2 changed errno");
        chaos_check(dup2(onto, onto) == onto, "dup2 onto itself");
        chaos_check(dup2(-1, onto) == -1 && errno == EBADF && fcntl(onto, F_GETFD) >= 0, "a dup2 that must fail");
        fd_close(fd);
    }
    int next = fcntl(STDERR_FILENO, F_DUPFD, base);
    chaos_check(next >= base && next <= top + 1, "F_DUPFD");
    chaos_check(close_range((unsigned)base, (unsigned)top + 1, 0) == 0, "close_range");
    for (int fd = base; fd <= top + 1; fd++) {
        chaos_check(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "close_range left something open");
    }
}

static void do_streams(struct chaos *chaos) {
    char word[64] = "";
    FILE *stream = fopen("/proc/self/stat", "re");
    chaos_check(stream != NULL && fscanf(stream, "%63s", word) == 1 && atoi(word) > 0, "fopen");
    chaos_check(fclose(stream) == 0, "fclose");
    DIR *folder = opendir("/");
    chaos_check(folder != NULL && readdir(folder) != NULL && closedir(folder) == 0, "opendir");
    if (chaos_below(chaos, 4) == 0) {
        FILE *temporary = tmpfile();
        chaos_check(temporary != NULL && fputs("x", temporary) >= 0 && fclose(temporary) == 0, "tmpfile");
    }
    stream = fdopen(open("/dev/null", O_RDONLY | O_CLOEXEC), "r");
    chaos_check(stream != NULL && fclose(stream) == 0, "fdopen");
}

#endif
