/* leak_timers: a service that forgets its timers.
 *
 * keep_timerfd     one for each request, for a timeout that is never needed
 * ignore_ticks     a single one that ticks fifty times a second from the start, and nobody reads it
 * keep_timer       a POSIX timer for each request, armed for an hour
 *
 * expect: leak keep_timerfd ignore_ticks keep_timer
 * kind: keep_timerfd timerfd-not-closed
 * kind: ignore_ticks timerfd-unread
 * kind: keep_timer posix-timer-not-deleted
 */
#include "variant.h"

#include <signal.h>
#include <sys/timerfd.h>

static TARGET_NOINLINE void keep_timerfd(long request) {
    struct itimerspec hour = {.it_value = {3600, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); /* LEAK */
    use_descriptor(fd, "timerfd_create");
    need(timerfd_settime(fd, 0, &hour, NULL) == 0, "timerfd_settime");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void ignore_ticks(void) {
    struct itimerspec often = {.it_interval = {0, 20000000}, .it_value = {0, 20000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); /* LEAK */
    use_descriptor(fd, "timerfd_create");
    need(timerfd_settime(fd, 0, &often, NULL) == 0, "timerfd_settime");
}

static void begin_ticks(const struct target_options *options) {
    (void)options;
    ignore_ticks();
}

static void read_another(long request) {
    struct itimerspec soon = {.it_value = {0, 1000000}};
    uint64_t ticks;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    need(timerfd_settime(fd, 0, &soon, NULL) == 0 && read(fd, &ticks, sizeof ticks) == sizeof ticks, "timerfd");
    close(fd);
    variant_note((uint64_t)request + ticks);
}

static TARGET_NOINLINE void keep_timer(long request) {
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec hour = {.it_value = {3600, 0}};
    int made = timer_create(CLOCK_MONOTONIC, &none, &timer); /* LEAK */
    need(made == 0 && timer_settime(timer, 0, &hour, NULL) == 0, "timer_create");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"keep_timerfd", NULL, keep_timerfd, NULL},
    {"ignore_ticks", begin_ticks, read_another, NULL},
    {"keep_timer", NULL, keep_timer, NULL},
};
VARIANT_MAIN("leak_timers", variants)
