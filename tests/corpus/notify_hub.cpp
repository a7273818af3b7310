// notify_hub: an eventfd wakes the owner of each future. Futures that are abandoned never close theirs.
#include "service.h"

#include <sys/eventfd.h>

static unsigned long lost;

static int make_wakeup() {
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); // LEAK make_wakeup
    service_need(event >= 0, "event descriptor");
    return event;
}

static uint64_t await(bool abandoned) {
    int event = make_wakeup();
    if (abandoned) {
        lost++;
        return 0; // the bug
    }
    uint64_t value = 1;
    service_need(write(event, &value, sizeof value) == sizeof value && read(event, &value, sizeof value) == sizeof value, "value");
    close(event);
    return value;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 50);
    uint64_t sum = 0;
    while (service_next()) {
        sum += await(service_uniform() < 0.2);
        service_work();
    }
    service_end(lost, 0, sum == 0);
}
