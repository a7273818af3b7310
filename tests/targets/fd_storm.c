/* fd_storm: descriptors run out, thousands of times, through every door; then high numbers, and many descriptors at once.
 *
 * --objects rounds with a limit of 20. Then the limit goes up to what the system allows, a million at most. 10: a door
 * gave what it could not; 11: it failed with another errno; 12: a descriptor was lost or taken.
 *
 * expect: exit 0
 */
#include "target.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SMALL 20
#define MANY 5000

static int door(long number) {
    int ends[2];
    switch (number % 8) {
    case 0:
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    case 1:
        return dup(STDERR_FILENO);
    case 2:
        return socket(AF_UNIX, SOCK_STREAM, 0);
    case 3:
        return eventfd(0, 0);
    case 4:
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    case 5:
        return epoll_create1(0);
    case 6:
        return pipe(ends) == 0 ? (close(ends[1]), ends[0]) : -1;
    default:
        return openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
    }
}

/* Opens until nothing more is left, checks that streams fail in the same way, and closes everything. */
static void until_full(long round) {
    int fds[SMALL], count = 0, fd;
    for (long number = round; (fd = door(number)) >= 0; number++) {
        target_check(count < SMALL && fd < SMALL, "a number beyond the limit", 10);
        fds[count++] = fd;
    }
    target_check(errno == EMFILE, "another errno", 11);
    /* A pipe needs two, so one may be left. */
    for (; (fd = dup(STDERR_FILENO)) >= 0; fds[count++] = fd) {
    }
    target_check(errno == EMFILE && count == SMALL - 3, "not all numbers were given", 12);
    target_check(fopen("/dev/null", "r") == NULL && errno == EMFILE, "fopen", 11);
    target_check(opendir("/") == NULL && errno == EMFILE, "opendir", 11);
    target_check(popen("true", "r") == NULL && errno == EMFILE, "popen", 11);
    while (count > 0) {
        target_check(close(fds[--count]) == 0, "close", 12);
    }
}

static rlim_t set_limit(rlim_t wanted) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (wanted > limit.rlim_max) {
        struct rlimit higher = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) {
            return wanted;
        }
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    target_check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit", 3);
    return wanted;
}

/* The highest number that the limit allows, taken and closed in several ways. */
static void highest(rlim_t limit) {
    int top = (int)limit - 1;
    target_check(dup2(STDERR_FILENO, top) == top && close(top) == 0, "dup2 to the top", 12);
    target_check(dup3(STDERR_FILENO, top, O_CLOEXEC) == top, "dup3 to the top", 12);
    target_check(dup2(STDOUT_FILENO, top) == top, "dup2 onto the top", 12);
    target_check(close_range((unsigned)top, ~0U, 0) == 0 && fcntl(top, F_GETFD) == -1, "close_range", 12);
    target_check(fcntl(STDERR_FILENO, F_DUPFD, top) == top && close(top) == 0, "fcntl to the top", 12);
    target_check(dup2(STDERR_FILENO, (int)limit) == -1 && errno == EBADF, "beyond the top", 11);
}

static void many(rlim_t limit) {
    static int fds[MANY];
    int count = 0;
    for (; count < MANY && (rlim_t)count + 10 < limit; count++) {
        fds[count] = door(count);
        target_check(fds[count] >= 0, "one of many", 12);
    }
    for (int i = 0; i < count; i += 2) {
        target_check(close(fds[i]) == 0, "close", 12);
    }
    closefrom(3);
}

int main(int argc, char **argv) {
    struct target_options options = {1000, 1, 0, 1};
    target_parse(argc, argv, &options);
    closefrom(3);
    set_limit(SMALL);
    for (long round = 0; round < options.objects; round++) {
        until_full(round);
    }
    printf("fd_storm: full %ld times\n", options.objects);
    rlim_t limit = set_limit(1000000);
    highest(limit);
    many(limit);
    target_check(open("/dev/null", O_RDONLY) == 3, "the lowest number is not free", 12);
    printf("fd_storm: done, up to %ld\n", (long)limit);
    return 0;
}
