/* leak_listeners: a service whose registrations only grow.
 *
 * register_duplicate  registers a duplicate with epoll and closes it; the original lives on, and so does the registration
 * keep_watch          an inotify watch for each request, on another program of the system each time
 * keep_callback       atexit for each request
 * keep_fork_handler   pthread_atfork for each request
 *
 * expect: leak register_duplicate keep_watch keep_callback keep_fork_handler
 * kind: register_duplicate epoll-registrations-growing
 * kind: keep_watch inotify-watches-growing
 * kind: keep_callback callback-registrations-growing
 * also: keep_callback heap-growth heap-unreachable
 * kind: keep_fork_handler callback-registrations-growing
 * also: keep_fork_handler heap-growth heap-unreachable
 */
#include "variant.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static int instance = -1, original = -1;
static int called;

static void begin_epoll(const struct target_options *options) {
    (void)options;
    instance = epoll_create1(EPOLL_CLOEXEC);
    original = eventfd(0, EFD_CLOEXEC);
    need(instance >= 0 && original >= 0, "epoll_create1");
}

/* Each duplicate gets a number of its own, for a registration is known by file and number. */
static TARGET_NOINLINE void register_duplicate(long request) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = (uint64_t)request};
    int copy = fcntl(original, F_DUPFD_CLOEXEC, (int)(20 + request));
    use_descriptor(copy, "fcntl");
    int failed = epoll_ctl(instance, EPOLL_CTL_ADD, copy, &wanted); /* LEAK */
    need(failed == 0, "epoll_ctl");
    close(copy);
}

/* All of them answer at once when the original does. */
static void end_epoll(void) {
    struct epoll_event got[64];
    uint64_t one = 1;
    need(write(original, &one, sizeof one) == sizeof one, "write");
    variant_note((uint64_t)epoll_wait(instance, got, 64, 0));
}

static void begin_inotify(const struct target_options *options) {
    (void)options;
    instance = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    use_descriptor(instance, "inotify_init1");
}

/* The next program of the system: files of the run's own would be gone before the end, and their watches with them. */
static const char *next_program(void) {
    static DIR *programs;
    static char path[PATH_MAX];
    struct dirent *entry;
    programs = programs == NULL ? opendir("/usr/bin") : programs;
    need(programs != NULL, "/usr/bin");
    do {
        entry = readdir(programs);
        need(entry != NULL, "too few programs");
    } while (entry->d_type != DT_REG);
    snprintf(path, sizeof path, "/usr/bin/%s", entry->d_name);
    return path;
}

static TARGET_NOINLINE void keep_watch(long request) {
    const char *path = next_program();
    int watch = inotify_add_watch(instance, path, IN_MODIFY); /* LEAK */
    need(watch >= 0, "inotify_add_watch");
    variant_note((uint64_t)request);
}

static void on_exit_count(void) {
    called++;
}

static TARGET_NOINLINE void keep_callback(long request) {
    int failed = atexit(on_exit_count); /* LEAK */
    need(failed == 0, "atexit");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_fork_handler(long request) {
    int failed = pthread_atfork(NULL, on_exit_count, NULL); /* LEAK */
    need(failed == 0, "pthread_atfork");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"register_duplicate", begin_epoll, register_duplicate, end_epoll},
    {"keep_watch", begin_inotify, keep_watch, NULL},
    {"keep_callback", NULL, keep_callback, NULL},
    {"keep_fork_handler", NULL, keep_fork_handler, NULL},
};
VARIANT_MAIN("leak_listeners", variants)
