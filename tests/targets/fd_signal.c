/* fd_signal: signal handlers open and close descriptors while the main thread opens, closes and forks.
 *
 * Handlers run on the main thread (a timer, 2,000 times a second) and on others (sent by a thread, as fast as they are
 * taken). All calls in them are async-signal-safe. For --seconds. 10: a call failed; 11: errno was changed; 12: a
 * descriptor is left or was taken; 13: a child failed.
 *
 * expect: exit 0
 */
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t handled, done;
static pthread_t main_thread;

static void handler(int number) {
    int before = errno;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int copy = dup(fd);
    int ends[2];
    int failed = pipe(ends);
    if (fd < 0 || copy < 0 || failed != 0) {
        _exit(10);
    }
    if (close(copy) != 0 || close(fd) != 0 || close(ends[0]) != 0 || close(ends[1]) != 0) {
        _exit(10);
    }
    handled += number != 0;
    errno = before;
}

static void *nudge(void *unused) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!done) {
        pthread_kill(main_thread, SIGUSR1);
        target_sleep_until(target_now() + 0.001);
    }
    return unused;
}

static void *work(void *unused) {
    while (!done) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        target_check(fd >= 0 && close(fd) == 0, "socket", 10);
        target_sleep_until(target_now() + 0.0005);
    }
    return unused;
}

static void open_and_close(long turn) {
    errno = 4242;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    FILE *stream = turn % 4 == 0 ? fdopen(dup(fd), "r") : NULL;
    target_check(fd >= 0 && (turn % 4 != 0 || stream != NULL), "open", 10);
    if (stream != NULL) {
        fclose(stream);
    }
    errno = 4242;
    target_check(close(fd) == 0, "close", 10);
    target_check(errno == 4242, "errno", 11);
}

static void fork_once(void) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        for (long i = 0; i < 10; i++) {
            open_and_close(i);
        }
        _exit(0);
    }
    target_check(child > 0, "fork", 10);
    while (waitpid(child, &status, 0) == -1) {
        target_check(errno == EINTR, "waitpid", 13);
    }
    target_check(status == 0, "a child failed", 13);
}

int main(int argc, char **argv) {
    struct target_options options = {0, 1, 2, 2};
    pthread_t nudger, worker;
    target_parse(argc, argv, &options);
    closefrom(3);
    main_thread = pthread_self();
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    target_check(pthread_create(&nudger, NULL, nudge, NULL) == 0, "pthread_create", 3);
    target_check(pthread_create(&worker, NULL, work, NULL) == 0, "pthread_create", 3);
    struct itimerval often = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &often, NULL);
    double end = target_now() + options.seconds;
    long turns = 0;
    do {
        for (int i = 0; i < 50; i++) {
            open_and_close(turns++);
        }
        fork_once();
    } while (target_now() < end);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    done = 1;
    pthread_join(nudger, NULL);
    pthread_join(worker, NULL);
    signal(SIGALRM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    for (int fd = 3; fd < 100; fd++) {
        target_check(fcntl(fd, F_GETFD) == -1, "a descriptor is left", 12);
    }
    target_check(open("/dev/null", O_RDONLY) == 3, "a number was taken", 12);
    fprintf(stderr, "%ld turns, %ld signals handled\n", turns, (long)handled);
    printf("fd_signal: done\n");
    return 0;
}
