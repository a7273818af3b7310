/* healthy_listeners: registrations that go again, and some made once.
 *
 * epoll_churn         added and removed with each request; half of them go by themselves when their descriptor is closed
 * epoll_steady        forty from the start, changed with each request
 * inotify_churn       a watch for each new file, removed; half of them go by themselves with their file
 * inotify_again       the same file is watched again and again: that is one watch
 * callbacks_at_start  forty handlers of each kind, registered at the start
 *
 * expect: silence
 * what: epoll_churn epoll_steady inotify_churn inotify_again callbacks_at_start
 */
#include "variant.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#define STEADY 40

static int instance = -1;
static int steady[STEADY];
static int called;

static void begin_epoll(const struct target_options *options) {
    (void)options;
    instance = epoll_create1(EPOLL_CLOEXEC);
    use_descriptor(instance, "epoll_create1");
}

static void epoll_churn(long request) {
    struct epoll_event wanted = {.events = EPOLLIN};
    int fd = eventfd(0, EFD_CLOEXEC);
    need(fd >= 0 && epoll_ctl(instance, EPOLL_CTL_ADD, fd, &wanted) == 0, "epoll_ctl");
    if (request % 2 == 0) {
        need(epoll_ctl(instance, EPOLL_CTL_DEL, fd, NULL) == 0, "epoll_ctl");
    }
    close(fd);
    variant_note((uint64_t)request);
}

static void begin_steady(const struct target_options *options) {
    begin_epoll(options);
    struct epoll_event wanted = {.events = EPOLLIN};
    for (int i = 0; i < STEADY; i++) {
        steady[i] = eventfd(0, EFD_CLOEXEC);
        need(steady[i] >= 0 && epoll_ctl(instance, EPOLL_CTL_ADD, steady[i], &wanted) == 0, "epoll_ctl");
    }
}

static void epoll_steady(long request) {
    struct epoll_event wanted = {.events = request % 2 == 0 ? EPOLLOUT : EPOLLIN};
    for (int i = 0; i < STEADY; i++) {
        need(epoll_ctl(instance, EPOLL_CTL_MOD, steady[i], &wanted) == 0, "epoll_ctl");
    }
    variant_note((uint64_t)request);
}

static void begin_inotify(const struct target_options *options) {
    (void)options;
    instance = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    use_descriptor(instance, "inotify_init1");
}

static void inotify_churn(long request) {
    char events[4096];
    int watch = inotify_add_watch(instance, variant_path(request, "watched\n"), IN_MODIFY);
    need(watch >= 0, "inotify_add_watch");
    if (request % 2 == 0) {
        need(inotify_rm_watch(instance, watch) == 0, "inotify_rm_watch");
    }
    variant_path(request, NULL);
    while (read(instance, events, sizeof events) > 0) {
    }
    variant_note((uint64_t)watch);
}

static void inotify_again(long request) {
    int watch = inotify_add_watch(instance, variant_file, request % 2 == 0 ? IN_MODIFY : IN_ATTRIB);
    variant_note((uint64_t)watch);
}

static void on_exit_count(void) {
    called++;
}

static void begin_callbacks(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < STEADY; i++) {
        need(atexit(on_exit_count) == 0 && pthread_atfork(NULL, on_exit_count, NULL) == 0, "atexit");
    }
}

static void only_count(long request) {
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"epoll_churn", begin_epoll, epoll_churn, NULL},
    {"epoll_steady", begin_steady, epoll_steady, NULL},
    {"inotify_churn", begin_inotify, inotify_churn, NULL},
    {"inotify_again", begin_inotify, inotify_again, NULL},
    {"callbacks_at_start", begin_callbacks, only_count, NULL},
};
VARIANT_MAIN("healthy_listeners", variants)
