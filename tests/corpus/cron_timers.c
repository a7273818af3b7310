/* cron_timers: a scheduler that makes a timer descriptor for each job and polls it.
 *
 * A job that is cancelled before it is due is taken off the list, its timer stays open. Others are closed when they have fired.
 */
#include "service.h"

#include <sys/timerfd.h>

static unsigned long lost;

static int arm_job(double delay) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); /* LEAK arm_job */
    struct itimerspec at = {{0, 0}, {(time_t)delay, (long)((delay - (double)(time_t)delay) * 1e9)}};
    service_need(timer >= 0 && timerfd_settime(timer, 0, &at, NULL) == 0, "timer");
    return timer;
}

static void run_job(int cancelled) {
    uint64_t ticks = 0;
    int timer = arm_job(cancelled ? 3600 : 0.004);
    if (cancelled) {
        lost++;
        return; /* the bug */
    }
    while (read(timer, &ticks, sizeof ticks) < 0) {
        service_sleep(0.001);
    }
    close(timer);
}

int main(int argc, char **argv) {
    service_start(argc, argv, 40);
    while (service_next()) {
        run_job(service_uniform() < 0.3);
        service_work();
    }
    service_end(lost, 0, 0);
}
