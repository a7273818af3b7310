// burst_queue: a print server. Bursts of jobs fill the queue faster than they are worked off, and in the pauses it drains.
//
// Healthy: five times the queue is full and five times empty; the last burst is over three tenths before the end.
#include "service.h"

#include <deque>
#include <memory>

struct Job {
    char page[20 * 1024];
};

static std::unique_ptr<Job> accept_job() {
    auto job = std::make_unique<Job>();
    service_fill(job->page, sizeof job->page);
    return job;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    std::deque<std::unique_ptr<Job>> queue;
    while (service_next()) {
        double phase = service_progress() * 6.2;
        if (phase - floor(phase) < 0.4 && phase < 5) {
            queue.push_back(accept_job());
            queue.push_back(accept_job());
        }
        if (!queue.empty()) {
            queue.pop_front();
        }
        service_work();
    }
    service_end(0, queue.size(), 0);
}
