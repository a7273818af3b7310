/* healthy_timers: timers that are read and given back.
 *
 * read_rarely    ticks twenty times a second and is read once a second
 * one_shot       one for each request: it fires, is read, and is closed
 * cancelled      one for each request, closed before it fires
 * far_away       three from the start, armed for an hour
 * create_delete  a POSIX timer for each request, deleted; one in ten lives for up to a third of the run
 * with_thread    the same with SIGEV_THREAD, whose helper thread belongs to libc
 *
 * expect: silence
 * what: read_rarely one_shot cancelled far_away create_delete with_thread
 */
#include "variant.h"

#include <signal.h>
#include <sys/timerfd.h>

#define SLOTS 64

static struct lifetime slots[SLOTS];
static int ticking = -1;

static int armed(long seconds, long nanoseconds, int again) {
    struct itimerspec when = {.it_value = {seconds, nanoseconds}};
    when.it_interval = again ? when.it_value : when.it_interval;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    need(fd >= 0 && timerfd_settime(fd, 0, &when, NULL) == 0, "timerfd");
    return fd;
}

static void begin_ticking(const struct target_options *options) {
    (void)options;
    ticking = armed(0, 50000000, 1);
}

static void read_rarely(long request) {
    static double next = 0;
    uint64_t ticks;
    if (target_now() >= next) {
        next = target_now() + 1;
        need(read(ticking, &ticks, sizeof ticks) == sizeof ticks, "read");
    }
    variant_note((uint64_t)request);
}

static void one_shot(long request) {
    uint64_t ticks;
    int fd = armed(0, 1000000, 0);
    need(read(fd, &ticks, sizeof ticks) == sizeof ticks && ticks == 1, "read");
    close(fd);
    variant_note((uint64_t)request);
}

static void cancelled(long request) {
    close(armed(3600, 0, 0));
    variant_note((uint64_t)request);
}

static void begin_far_away(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < 3; i++) {
        armed(3600, 0, 0);
    }
}

static void *turn_timer(void *thing) {
    timer_t *timer = (timer_t *)thing;
    if (timer != NULL) {
        need(timer_delete(*timer) == 0, "timer_delete");
        free(timer);
        return NULL;
    }
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer = (timer_t *)malloc(sizeof *timer);
    need(timer_create(CLOCK_MONOTONIC, &none, timer) == 0, "timer_create");
    return timer;
}

static void create_delete(long request) {
    lifetimes(slots, SLOTS, request, turn_timer);
}

static void end_timers(void) {
    lifetimes(slots, SLOTS, -1, turn_timer);
}

static void nothing(union sigval value) {
    (void)value;
}

static void with_thread(long request) {
    timer_t timer;
    struct sigevent thread = {.sigev_notify = SIGEV_THREAD};
    thread.sigev_notify_function = nothing;
    struct itimerspec hour = {.it_value = {3600, 0}};
    need(timer_create(CLOCK_MONOTONIC, &thread, &timer) == 0, "timer_create");
    need(timer_settime(timer, 0, &hour, NULL) == 0 && timer_delete(timer) == 0, "timer_settime");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"read_rarely", begin_ticking, read_rarely, NULL},
    {"one_shot", NULL, one_shot, NULL},
    {"cancelled", NULL, cancelled, NULL},
    {"far_away", begin_far_away, cancelled, NULL},
    {"create_delete", NULL, create_delete, end_timers},
    {"with_thread", NULL, with_thread, NULL},
};
VARIANT_MAIN("healthy_timers", variants)
