// watchdog: a POSIX timer guards each call to a slow backend. Its object is thrown away after the call without timer_delete().
#include "service.h"

#include <csignal>
#include <ctime>

static unsigned long lost;

class Watchdog {
public:
    explicit Watchdog(time_t seconds) {
        arm(seconds);
        lost++;
    }

private:
    SERVICE_NOINLINE void arm(time_t seconds) {
        sigevent quiet = {};
        quiet.sigev_notify = SIGEV_NONE;
        itimerspec at = {{0, 0}, {seconds, 0}};
        service_need(timer_create(CLOCK_MONOTONIC, &quiet, &timer_) == 0, "timer"); // LEAK arm
        timer_settime(timer_, 0, &at, nullptr);
    }
    timer_t timer_; // the bug: no destructor deletes it
};

int main(int argc, char **argv) {
    service_start(argc, argv, 12);
    while (service_next()) {
        Watchdog guard(30);
        service_work();
    }
    service_end(lost, 0, 0);
}
