/* chaos_threads.h: signals between threads and from timers, threads that come and go, cancelled ones, libraries, the
 * environment.
 *
 * In: a worker's choices. Out: a wrong answer ends the run.
 */
#ifndef CHAOS_THREADS_H
#define CHAOS_THREADS_H

#include "chaos_jumps.h"

#include <dlfcn.h>
#include <sys/un.h>

#define CHAOS_WORKERS 4
#define CHAOS_ALT_STACK_BYTES ((size_t)64 * 1024)

static pthread_t chaos_workers[CHAOS_WORKERS];
static atomic_long chaos_detached, chaos_signals, chaos_streams = 1000;

/* Opens and closes, and allocates where that is allowed; what it interrupts must not notice. */
static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    int saved = errno, ends[2];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    chaos_check(fd > STDERR_FILENO, "open in a handler");
    int other = dup(fd);
    chaos_check(other > STDERR_FILENO && pipe(ends) == 0, "dup and pipe in a handler");
    chaos_check(close(fd) == 0 && close(other) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0, "close in a handler");
    if (outside_libc(context)) {
        char *block = (char *)malloc(300);
        chaos_check(block != NULL, "malloc in a handler");
        memset(block, 3, 300);
        free(block);
    }
    atomic_fetch_add(&chaos_signals, 1);
    errno = saved;
}

static void signals_begin(void) {
    outside_libc_prepare();
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    /* One at a time: what a handler interrupted may be libc, though the handler itself is not. */
    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    action.sa_sigaction = on_jump;
    sigaction(SIGRTMIN + 1, &action, NULL);
}

static void do_signal(struct chaos *chaos) {
    for (unsigned left = 1 + chaos_below(chaos, 4); left > 0; left--) {
        chaos_check(pthread_kill(chaos_workers[chaos_below(chaos, CHAOS_WORKERS)], SIGUSR1) == 0, "pthread_kill");
    }
}

static void do_timer(struct chaos *chaos) {
    timer_t timer = timer_of_thread(SIGRTMIN, 50000 + (long)chaos_below(chaos, 300000));
    do_blocks(chaos);
    do_kept_fds(chaos);
    do_mappings(chaos);
    chaos_check(timer_delete(timer) == 0, "timer_delete");
}

/* The state of a short-lived thread; only one that is a worker may be jumped out of. */
static void visit(uint64_t stream) {
    struct chaos *visitor = (struct chaos *)malloc(sizeof *visitor);
    chaos_check(visitor != NULL, "no memory");
    chaos_begin(visitor, stream, 0);
    do_blocks(visitor);
    do_pipes(visitor);
    do_kept_fds(visitor);
    do_longjmp(visitor);
    fds_end(visitor);
    blocks_end(visitor);
    free(visitor);
}

static void *joined_thread(void *argument) {
    visit((uint64_t)(uintptr_t)argument);
    return (void *)((uintptr_t)argument ^ 1);
}

static void *detached_thread(void *argument) {
    visit((uint64_t)(uintptr_t)argument);
    atomic_fetch_sub(&chaos_detached, 1);
    return NULL;
}

static void thread_begin(struct chaos *chaos, pthread_t *thread, int is_detached, void *(*body)(void *), uintptr_t stream) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)(64 + chaos_below(chaos, 192)) * 1024);
    pthread_attr_setdetachstate(&attributes, is_detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
    chaos_check(pthread_create(thread, &attributes, body, (void *)stream) == 0, "pthread_create");
    pthread_attr_destroy(&attributes);
}

static void do_threads(struct chaos *chaos) {
    enum { MANY = 3 };
    pthread_t threads[MANY], other;
    uintptr_t streams[MANY];
    for (int i = 0; i < MANY; i++) {
        streams[i] = (uintptr_t)atomic_fetch_add(&chaos_streams, 1);
        thread_begin(chaos, &threads[i], 0, joined_thread, streams[i]);
    }
    int now = (int)chaos_below(chaos, 2);
    atomic_fetch_add(&chaos_detached, 1);
    thread_begin(chaos, &other, now, detached_thread, (uintptr_t)atomic_fetch_add(&chaos_streams, 1));
    chaos_check(now || pthread_detach(other) == 0, "pthread_detach");
    for (int i = 0; i < MANY; i++) {
        void *value = NULL;
        struct timespec until = {0, 0};
        int answer = EBUSY;
        if (i == 0) {
            answer = pthread_tryjoin_np(threads[i], &value);
        } else if (i == 1) {
            answer = pthread_timedjoin_np(threads[i], &value, &until);
        }
        chaos_check(answer == 0 || answer == EBUSY || answer == ETIMEDOUT, "an early join");
        chaos_check(answer == 0 || pthread_join(threads[i], &value) == 0, "pthread_join");
        chaos_check((uintptr_t)value == (streams[i] ^ 1), "a thread answered wrongly");
    }
}

/* Waits in one of the calls that are cancellation points, for what never comes. */
static void *waiting_thread(void *argument) {
    const int *fds = (const int *)argument;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    switch (fds[2]) {
    case 0:
        read(fds[0], &byte, 1);
        break;
    case 1:
        recvmsg(fds[0], &message, 0);
        break;
    default:
        accept(fds[0], NULL, NULL);
        break;
    }
    chaos_fail("a cancelled thread went on", __LINE__);
    return NULL;
}

static void do_cancellation(struct chaos *chaos) {
    int fds[3] = {-1, -1, (int)chaos_below(chaos, 3)};
    if (fds[2] == 2) {
        fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un nameless = {AF_UNIX, ""};
        chaos_check(bind(fds[0], (struct sockaddr *)&nameless, sizeof(sa_family_t)) == 0 && listen(fds[0], 1) == 0, "listen");
    } else {
        chaos_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
    }
    pthread_t thread;
    thread_begin(chaos, &thread, 0, waiting_thread, (uintptr_t)fds);
    chaos_pause((long)chaos_below(chaos, 1500));
    void *value = NULL;
    chaos_check(pthread_cancel(thread) == 0 && pthread_join(thread, &value) == 0, "pthread_cancel");
    chaos_check(value == PTHREAD_CANCELED, "a thread was not cancelled");
    fd_close(fds[0]);
    if (fds[1] >= 0) {
        fd_close(fds[1]);
    }
}

/* A library beside this program, one that is not used, and one of the system's. */
static void do_library(struct chaos *chaos) {
    static const char *const NAMES[] = {"quiet_plugin.so", "leak_plugin.so", "libm.so.6"};
    unsigned which = chaos_below(chaos, 3);
    char path[sizeof chaos_program + 32];
    const char *slash = strrchr(chaos_program, '/');
    int folder = which == 2 ? 0 : (int)(slash - chaos_program) + 1;
    snprintf(path, sizeof path, "%.*s%s", folder, chaos_program, NAMES[which]);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    chaos_check(library != NULL, "dlopen");
    if (which == 0) {
        void (*quiet)(long, size_t) = (void (*)(long, size_t))dlsym(library, "plugin_quiet");
        chaos_check(quiet != NULL, "dlsym");
        quiet((long)chaos_below(chaos, 1000), 64 + chaos_below(chaos, 4000));
    }
    chaos_check(dlclose(library) == 0, "dlclose");
}

/* Few values, because libc keeps each it ever saw. */
static void do_environment(struct chaos *chaos) {
    char name[] = "CHAOS_0", value[] = "value 0";
    name[sizeof name - 2] = (char)('0' + chaos_below(chaos, 4));
    value[sizeof value - 2] = (char)('0' + chaos_below(chaos, 4));
    pthread_mutex_lock(&chaos_environment);
    chaos_check(setenv(name, value, 1) == 0, "setenv");
    const char *seen = getenv(name);
    chaos_check(seen != NULL && strcmp(seen, value) == 0, "getenv");
    chaos_check(chaos_below(chaos, 2) == 0 || (unsetenv(name) == 0 && getenv(name) == NULL), "unsetenv");
    pthread_mutex_unlock(&chaos_environment);
}

#endif
