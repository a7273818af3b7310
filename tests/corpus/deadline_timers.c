/* deadline_timers: a POSIX timer for each request's deadline, deleted when the request is answered.
 *
 * Healthy: ten or so at a time.
 */
#include "service.h"

#include <signal.h>

#define PENDING 10

static timer_t pending[PENDING];
static unsigned long position;

static timer_t set_deadline(double seconds) {
    struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
    struct itimerspec at = {{0, 0}, {(time_t)seconds, 0}};
    timer_t timer;
    service_need(timer_create(CLOCK_MONOTONIC, &quiet, &timer) == 0, "timer");
    timer_settime(timer, 0, &at, NULL);
    return timer;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 60);
    while (service_next()) {
        unsigned long at = position++ % PENDING;
        if (position > PENDING) {
            timer_delete(pending[at]);
        }
        pending[at] = set_deadline(5);
        service_work();
    }
    service_end(0, position < PENDING ? position : PENDING, 0);
}
