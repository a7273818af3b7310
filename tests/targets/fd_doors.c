/* fd_doors: every door by which a descriptor is born or goes, and every way in which it can stay shut.
 *
 * Each result and each errno is printed, so that a transcript with MemGuard can be compared with one without it; with
 * --hold a test can compare what is held (see holding.h). 10: a door did not open; 11: a descriptor was open or closed that
 * should not be; 12: the test went away; 13: a failure was not the one that was expected.
 *
 * expect: exit 0
 */
#include "holding.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define FILE_CLASS "file"
#define STREAM "stream"
#define DIRECTORY "directory"
#define POPEN "popen stream"
#define PIPE "pipe end"
#define SOCKET "socket"
#define ACCEPTED "accepted socket"
#define DUPLICATE "duplicate descriptor"
#define MEMORY "memory file"
#define OTHER "descriptor"
#define SENTINEL 4242

extern char **environ;
/* What _FORTIFY_SOURCE makes of open and openat when their flags are no constants. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);

static char folder[64], path[96], absent[96];

/* Says what a door gave; errno is what the call left of the value that was in it before. */
#define SAY(call) say(#call, (errno = SENTINEL, (call)))
#define OPEN(call, class_word) hold(say(#call, (errno = SENTINEL, (call))), class_word)
#define SHUT(call, fd) (drop(fd), say(#call, (errno = SENTINEL, (call))))
#define FAIL(call, wanted) fail(#call, (errno = SENTINEL, (call)), wanted)
#define FAIL_NULL(call, wanted) fail(#call, (errno = SENTINEL, (call)) == NULL ? -1 : 0, wanted)

static int say(const char *call, int result) {
    int left = errno;
    printf("%s = %d, errno %d\n", call, result, left);
    return result;
}

static void fail(const char *call, int result, int wanted) {
    int left = errno;
    printf("%s = %d, errno %d\n", call, result, left);
    if (result != -1 || left != wanted) {
        fprintf(stderr, "fd_doors: %s gave %d, errno %d instead of %d\n", call, result, left, wanted);
        exit(13);
    }
}

static void *open_pointer(void *pointer, const char *what) {
    int left = errno;
    target_check(pointer != NULL, what, 10);
    printf("%s, errno %d\n", what, left);
    return pointer;
}

#define POINTER(type, call) ((type *)open_pointer((errno = SENTINEL, (call)), #call))

/* Closes everything that is held by its number. */
static void close_all(void) {
    while (holding_count > 0) {
        int fd = holding[holding_count - 1].fd;
        SHUT(close(fd), fd);
    }
}

static void files(void) {
    int flags = O_RDWR;
    OPEN(open(path, O_RDONLY), FILE_CLASS);
    OPEN(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), FILE_CLASS);
    OPEN(open64(path, O_RDONLY | O_NONBLOCK), FILE_CLASS);
    OPEN(openat(AT_FDCWD, path, O_RDONLY), FILE_CLASS);
    OPEN(openat64(AT_FDCWD, path, O_RDWR | O_CREAT, 0600), FILE_CLASS);
    OPEN(creat(path, 0600), FILE_CLASS);
    OPEN(creat64(path, 0600), FILE_CLASS);
    OPEN(__open_2(path, flags), FILE_CLASS);
    OPEN(__open64_2(path, flags), FILE_CLASS);
    OPEN(__openat_2(AT_FDCWD, path, flags), FILE_CLASS);
    OPEN(open(folder, O_TMPFILE | O_RDWR, 0600), FILE_CLASS);
    OPEN(open("/dev/null", O_RDWR), FILE_CLASS);
    OPEN(open(path, O_PATH), FILE_CLASS);
    int at = OPEN(open(folder, O_RDONLY | O_DIRECTORY), DIRECTORY);
    OPEN(openat(at, "file", O_RDONLY), FILE_CLASS);
    phase("files");
    close_all();
    phase("files-closed");
}

/* The names that were chosen differ, so they are not printed. */
static int made(int (*make)(char *), const char *what) {
    char name[128];
    snprintf(name, sizeof name, "%s/XXXXXX", folder);
    errno = SENTINEL;
    int fd = say(what, make(name));
    unlink(name);
    return fd;
}

static int make_mkstemps(char *name) {
    strcat(name, ".c");
    return mkstemps(name, 2);
}

static int make_mkostemp(char *name) {
    return mkostemp(name, O_CLOEXEC | O_APPEND);
}

static int make_mkostemps(char *name) {
    strcat(name, ".h");
    return mkostemps(name, 2, O_CLOEXEC);
}

static void temporary(void) {
    hold(made(mkstemp, "mkstemp"), FILE_CLASS);
    hold(made(mkstemp64, "mkstemp64"), FILE_CLASS);
    hold(made(make_mkostemp, "mkostemp"), FILE_CLASS);
    hold(made(make_mkstemps, "mkstemps"), FILE_CLASS);
    hold(made(make_mkostemps, "mkostemps"), FILE_CLASS);
    FILE *first = POINTER(FILE, tmpfile());
    FILE *second = POINTER(FILE, tmpfile64());
    hold(fileno(first), STREAM);
    hold(fileno(second), STREAM);
    phase("temporary");
    SHUT(fclose(first), fileno(first));
    SHUT(fclose(second), fileno(second));
    close_all();
    phase("temporary-closed");
}

static void streams(void) {
    FILE *read_it = POINTER(FILE, fopen(path, "r"));
    FILE *write_it = POINTER(FILE, fopen64(path, "w+e"));
    hold(fileno(read_it), STREAM);
    hold(fileno(write_it), STREAM);
    int fd = OPEN(open(path, O_RDONLY), FILE_CLASS);
    FILE *adopted = POINTER(FILE, fdopen(fd, "r"));
    hold(fileno(adopted), STREAM);
    phase("streams");
    int before = fileno(read_it);
    read_it = POINTER(FILE, freopen("/dev/null", "r", read_it));
    write_it = POINTER(FILE, freopen64(path, "a", write_it));
    printf("freopen keeps the number: %d\n", fileno(read_it) == before);
    phase("streams-reopened");
    SHUT(fclose(read_it), fileno(read_it));
    SHUT(fclose(write_it), fileno(write_it));
    SHUT(fclose(adopted), fd);
    /* A freopen that fails has closed the stream. */
    FILE *lost = POINTER(FILE, fopen(path, "r"));
    FAIL_NULL(freopen(absent, "r", lost), ENOENT);
    phase("streams-closed");
}

static void folders(void) {
    DIR *first = POINTER(DIR, opendir(folder));
    hold(dirfd(first), DIRECTORY);
    int fd = OPEN(open(folder, O_RDONLY | O_DIRECTORY), DIRECTORY);
    DIR *adopted = POINTER(DIR, fdopendir(fd));
    hold(dirfd(adopted), DIRECTORY);
    phase("folders");
    SHUT(closedir(first), dirfd(first));
    SHUT(closedir(adopted), dirfd(adopted));
    struct dirent **names = NULL;
    int found = SAY(scandir(folder, &names, NULL, alphasort));
    while (found > 0) {
        free(names[--found]);
    }
    free(names);
    phase("folders-closed");
}

static void commands(void) {
    char line[64] = "";
    FILE *out = POINTER(FILE, popen("echo said", "r"));
    FILE *in = POINTER(FILE, popen("cat >/dev/null; exit 5", "we"));
    hold(fileno(out), POPEN);
    hold(fileno(in), POPEN);
    printf("popen says %s", fgets(line, sizeof line, out));
    phase("commands");
    SHUT(pclose(out), fileno(out));
    SHUT(pclose(in), fileno(in));
    phase("commands-closed");
}

static void pipes(void) {
    int ends[4];
    SAY(pipe(ends));
    SAY(pipe2(ends + 2, O_CLOEXEC | O_NONBLOCK));
    for (int i = 0; i < 4; i++) {
        hold(ends[i], PIPE);
    }
    phase("pipes");
    SHUT(close(ends[0]), ends[0]);
    SHUT(close(ends[3]), ends[3]);
    phase("pipes-half-closed");
    close_all();
    phase("pipes-closed");
}

static void sockets(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int pair[2];
    int listener = OPEN(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), SOCKET);
    SAY(bind(listener, (struct sockaddr *)&address, length));
    SAY(listen(listener, 5));
    SAY(getsockname(listener, (struct sockaddr *)&address, &length));
    int first = OPEN(socket(AF_INET, SOCK_STREAM, 0), SOCKET);
    SAY(connect(first, (struct sockaddr *)&address, length));
    OPEN(accept(listener, NULL, NULL), ACCEPTED);
    int second = OPEN(socket(AF_INET, SOCK_STREAM, 0), SOCKET);
    SAY(connect(second, (struct sockaddr *)&address, length));
    OPEN(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), ACCEPTED);
    OPEN(socket(AF_INET, SOCK_DGRAM, 0), SOCKET);
    SAY(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    hold(pair[0], SOCKET);
    hold(pair[1], SOCKET);
    phase("sockets");
    SAY(shutdown(first, SHUT_RDWR));
    close_all();
    phase("sockets-closed");
}

static void duplicates(void) {
    int fd = OPEN(open(path, O_RDONLY), FILE_CLASS);
    OPEN(dup(fd), DUPLICATE);
    OPEN(dup2(fd, 50), DUPLICATE);
    OPEN(dup3(fd, 51, O_CLOEXEC), DUPLICATE);
    OPEN(fcntl(fd, F_DUPFD, 60), DUPLICATE);
    OPEN(fcntl(fd, F_DUPFD_CLOEXEC, 60), DUPLICATE);
    OPEN(fcntl64(fd, F_DUPFD, 60), DUPLICATE);
    phase("duplicates");
    /* Onto numbers that are open: what was there is closed, without a close. */
    int victim = OPEN(socket(AF_UNIX, SOCK_STREAM, 0), SOCKET);
    OPEN(dup2(fd, victim), DUPLICATE);
    int other = OPEN(eventfd(0, 0), "eventfd");
    OPEN(dup3(fd, other, 0), DUPLICATE);
    SAY(dup2(fd, fd)); /* does nothing */
    FAIL(dup3(fd, fd, 0), EINVAL);
    FAIL(dup2(1000, 50), EBADF); /* leaves 50 as it was */
    phase("duplicates-onto");
    SHUT(close(fd), fd);
    phase("duplicates-without-original");
    close_all();
    phase("duplicates-closed");
}

static void kernel_objects(void) {
    sigset_t which;
    sigemptyset(&which);
    sigaddset(&which, SIGUSR2);
    char name[64];
    snprintf(name, sizeof name, "/memguard-target-%ld", (long)getpid());
    OPEN(epoll_create(1), "epoll instance");
    OPEN(epoll_create1(EPOLL_CLOEXEC), "epoll instance");
    OPEN(eventfd(3, EFD_NONBLOCK), "eventfd");
    int signals = OPEN(signalfd(-1, &which, SFD_CLOEXEC), "signalfd");
    printf("signalfd again keeps the number: %d\n", signalfd(signals, &which, 0) == signals);
    OPEN(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd");
    OPEN(inotify_init(), "inotify instance");
    OPEN(inotify_init1(IN_CLOEXEC), "inotify instance");
    OPEN(memfd_create("buffer", MFD_CLOEXEC), MEMORY);
    OPEN(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600), MEMORY);
    SAY(shm_unlink(name));
    struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 8};
    int queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &small);
    if (queue >= 0) { /* not every kernel has them */
        hold(queue, OTHER);
        SAY(mq_unlink(name));
    }
    OPEN(posix_openpt(O_RDWR | O_NOCTTY), OTHER);
    OPEN(pidfd_open(getpid(), 0), OTHER);
    phase("kernel-objects");
    if (queue >= 0) {
        SHUT(mq_close(queue), queue);
    }
    close_all();
    phase("kernel-objects-closed");
}

static void send_two(int channel, int first, int second) {
    int both[2] = {first, second};
    char byte = 'd', room[CMSG_SPACE(sizeof both)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof both);
    memcpy(CMSG_DATA(header), both, sizeof both);
    SAY((int)sendmsg(channel, &message, 0));
}

static void received(void) {
    int channel[2], both[2];
    SAY(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
    hold(channel[0], SOCKET);
    hold(channel[1], SOCKET);
    int sent = OPEN(open(path, O_RDONLY), FILE_CLASS);
    char byte, room[CMSG_SPACE(sizeof both)];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    send_two(channel[0], sent, sent);
    SAY((int)recvmsg(channel[1], &message, 0));
    memcpy(both, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof both);
    hold(both[0], "received descriptor");
    hold(both[1], "received descriptor");
    struct mmsghdr messages = {.msg_hdr = message};
    messages.msg_hdr.msg_controllen = sizeof room;
    send_two(channel[0], sent, channel[0]);
    SAY(recvmmsg(channel[1], &messages, 1, MSG_CMSG_CLOEXEC, NULL));
    memcpy(both, CMSG_DATA(CMSG_FIRSTHDR(&messages.msg_hdr)), sizeof both);
    hold(both[0], "received descriptor");
    hold(both[1], "received descriptor");
    /* No room for them: the kernel closes what it cannot hand over. */
    send_two(channel[0], sent, sent);
    message.msg_controllen = 0;
    message.msg_control = NULL;
    SAY((int)recvmsg(channel[1], &message, 0));
    printf("cut: %d\n", (message.msg_flags & MSG_CTRUNC) != 0);
    phase("received");
    close_all();
    phase("received-closed");
}

/* Doors that no library function is. */
static void raw(void) {
    OPEN((int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY), "-");
    OPEN((int)syscall(SYS_dup, STDERR_FILENO), "-");
    int hidden = OPEN((int)syscall(SYS_eventfd2, 0, 0), "-");
    int seen = OPEN(open(path, O_RDONLY), FILE_CLASS);
    phase("raw");
    SHUT(close(hidden), hidden);
    SHUT((int)syscall(SYS_close, seen), seen);
    /* The number that was closed unseen is taken again. */
    OPEN(socket(AF_UNIX, SOCK_STREAM, 0), SOCKET);
    OPEN(socket(AF_UNIX, SOCK_STREAM, 0), SOCKET);
    phase("raw-closed");
    close_all();
    phase("raw-gone");
}

static void ranges(void) {
    int first = OPEN(open(path, O_RDONLY), FILE_CLASS);
    for (int i = 0; i < 7; i++) {
        OPEN(dup(first), DUPLICATE);
    }
    OPEN(dup2(first, 90), DUPLICATE);
    SAY(close_range((unsigned)first + 2, (unsigned)first + 3, 0));
    drop(first + 2);
    drop(first + 3);
    SAY(close_range((unsigned)first + 4, (unsigned)first + 5, CLOSE_RANGE_CLOEXEC)); /* closes nothing now */
    phase("ranges");
    SAY((closefrom(first + 5), 0));
    drop(90);
    for (int i = 5; i < 8; i++) {
        drop(first + i);
    }
    phase("ranges-from");
    FAIL(close_range(9, 8, 0), EINVAL);
    SAY(close_range((unsigned)first, ~0U, 0));
    while (holding_count > 0) {
        drop(holding[0].fd);
    }
    phase("ranges-closed");
}

static void failures(void) {
    int ends[2];
    int file = OPEN(open(path, O_RDONLY), FILE_CLASS);
    int quiet = OPEN(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), SOCKET);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bind(quiet, (struct sockaddr *)&address, sizeof address);
    listen(quiet, 1);
    FAIL(open(absent, O_RDONLY), ENOENT);
    FAIL(open64(absent, O_RDONLY), ENOENT);
    FAIL(openat(AT_FDCWD, absent, O_RDONLY), ENOENT);
    FAIL(openat(file, "x", O_RDONLY), ENOTDIR);
    FAIL(open(path, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    FAIL(creat("/proc/absent", 0600), ENOENT);
    FAIL_NULL(fopen(absent, "r"), ENOENT);
    FAIL_NULL(fopen(path, "nonsense"), EINVAL);
    FAIL_NULL(fdopen(-1, "r"), EBADF);
    FAIL_NULL(fdopen(file, "w"), EINVAL); /* it stays open */
    FAIL_NULL(opendir(absent), ENOENT);
    FAIL_NULL(opendir(path), ENOTDIR);
    FAIL_NULL(fdopendir(file), ENOTDIR); /* it stays open */
    FAIL_NULL(popen("true", "x"), EINVAL);
    FAIL(close(-1), EBADF);
    FAIL(close(1000), EBADF);
    FAIL(dup(-1), EBADF);
    FAIL(dup(1000), EBADF);
    FAIL(dup2(file, -1), EBADF);
    FAIL(dup3(file, 70, ~0), EINVAL);
    FAIL(fcntl(file, F_DUPFD, -1), EINVAL);
    FAIL(fcntl(1000, F_DUPFD, 0), EBADF);
    FAIL(pipe2(ends, ~0), EINVAL);
    FAIL(socket(AF_INET, SOCK_STREAM, 9999), EINVAL);
    FAIL(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAIL(socketpair(AF_INET, SOCK_STREAM, 0, ends), EOPNOTSUPP);
    FAIL(accept(file, NULL, NULL), ENOTSOCK);
    FAIL(accept(quiet, NULL, NULL), EAGAIN);
    FAIL(accept4(quiet, NULL, NULL, ~0), EINVAL);
    FAIL((int)recvmsg(file, &(struct msghdr){0}, 0), ENOTSOCK);
    FAIL(epoll_create(0), EINVAL);
    FAIL(epoll_create1(~0), EINVAL);
    FAIL(eventfd(0, ~0), EINVAL);
    FAIL(signalfd(file, &(sigset_t){0}, 0), EINVAL);
    FAIL(timerfd_create(9999, 0), EINVAL);
    FAIL(inotify_init1(~0), EINVAL);
    FAIL(memfd_create("x", ~0U), EINVAL);
    FAIL(shm_open("/memguard-target-absent", O_RDWR, 0), ENOENT);
    FAIL(pidfd_open(-1, 0), EINVAL);
    phase("failures");
    close_all();
    phase("failures-closed");
}

/* No number is left: every door says so, and what was held is still held. */
static void limits(void) {
    struct rlimit before, low;
    int ends[2];
    int file = OPEN(open(path, O_RDONLY), FILE_CLASS);
    int listener = OPEN(socket(AF_UNIX, SOCK_STREAM, 0), SOCKET);
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = (rlim_t)listener + 1;
    SAY(setrlimit(RLIMIT_NOFILE, &low));
    FAIL(open(path, O_RDONLY), EMFILE);
    FAIL(openat(AT_FDCWD, path, O_RDONLY), EMFILE);
    FAIL(creat(path, 0600), EMFILE);
    FAIL_NULL(fopen(path, "r"), EMFILE);
    FAIL_NULL(tmpfile(), EMFILE);
    FAIL_NULL(opendir(folder), EMFILE);
    FAIL_NULL(popen("true", "r"), EMFILE);
    FAIL(pipe(ends), EMFILE);
    FAIL(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
    FAIL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), EMFILE);
    FAIL(dup(file), EMFILE);
    FAIL(dup2(file, 60), EBADF);
    FAIL(fcntl(file, F_DUPFD, 0), EMFILE);
    FAIL(fcntl(file, F_DUPFD, 60), EINVAL);
    FAIL(epoll_create1(0), EMFILE);
    FAIL(eventfd(0, 0), EMFILE);
    FAIL(timerfd_create(CLOCK_MONOTONIC, 0), EMFILE);
    FAIL(inotify_init(), EMFILE);
    FAIL(memfd_create("x", 0), EMFILE);
    FAIL(posix_openpt(O_RDWR), EMFILE);
    FAIL(pidfd_open(getpid(), 0), EMFILE);
    SAY(setrlimit(RLIMIT_NOFILE, &before));
    phase("limits");
    close_all();
    phase("limits-closed");
}

/* What the file actions open, copy and close is the child's. */
static void spawned(void) {
    int kept = OPEN(open(path, O_RDONLY), FILE_CLASS);
    int ends[2];
    SAY(pipe2(ends, O_CLOEXEC));
    hold(ends[0], PIPE);
    hold(ends[1], PIPE);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, 20, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclose(&actions, kept);
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"ls /proc/self/fd | tr '\\n' ' '", NULL};
    pid_t child;
    SAY(posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ));
    posix_spawn_file_actions_destroy(&actions);
    SHUT(close(ends[1]), ends[1]);
    char text[128] = "";
    for (size_t got = 0; got + 1 < sizeof text;) {
        ssize_t more = read(ends[0], text + got, sizeof text - 1 - got);
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
    }
    printf("the child had %s\n", text);
    int status = -1;
    waitpid(child, &status, 0);
    printf("the child ended with %d\n", status);
    phase("spawned");
    close_all();
    phase("spawned-closed");
}

int main(int argc, char **argv) {
    struct target_options options = {0, 1, 0, 1};
    target_parse(holding_arguments(argc, argv), argv, &options);
    strcpy(folder, "/tmp/memguard-target-XXXXXX");
    target_check(mkdtemp(folder) != NULL, "no folder", 3);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(absent, sizeof absent, "%s/absent", folder);
    int made_first = open(path, O_WRONLY | O_CREAT, 0600);
    target_check(write(made_first, "text\n", 5) == 5 && close(made_first) == 0, "no file", 3);
    printf("fd_doors: every door\n");
    files();
    temporary();
    streams();
    folders();
    commands();
    pipes();
    sockets();
    duplicates();
    kernel_objects();
    received();
    raw();
    ranges();
    failures();
    limits();
    spawned();
    unlink(path);
    rmdir(folder);
    phase("end");
    return 0;
}
