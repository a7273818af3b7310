/* event_loop: an event loop that watches a shared wake-up descriptor for each task, under a number of the task's own.
 *
 * The task duplicates the descriptor, registers the copy with epoll and closes the copy when it is done. Since the descriptor itself
 * stays open, closing a copy does not take back its registration, and there is no EPOLL_CTL_DEL: the instance's list grows.
 */
#include "service.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static unsigned long lost;

static int register_task(int loop, int wakeup, uint64_t task) {
    int copy = fcntl(wakeup, F_DUPFD_CLOEXEC, (int)(20 + task));
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = task}};
    service_need(copy >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, copy, &event) == 0, "registration"); /* LEAK register_task */
    return copy;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 15);
    int loop = epoll_create1(EPOLL_CLOEXEC), wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    service_need(loop >= 0 && wakeup >= 0, "loop");
    while (service_next()) {
        int copy = register_task(loop, wakeup, service.requests);
        service_work();
        struct epoll_event events[8];
        service_need(epoll_wait(loop, events, 8, 0) >= 0, "events");
        close(copy);
        lost++; /* the bug */
    }
    service_end(lost, 0, 0);
}
