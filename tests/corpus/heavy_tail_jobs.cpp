// heavy_tail_jobs: jobs whose durations are log-normal: most are over in milliseconds, some take a second or more.
//
// Healthy: all of them end. Objects of one line with lifetimes over four orders of magnitude.
#include "service.h"

#include <memory>
#include <queue>
#include <vector>

struct Job {
    double until;
    std::unique_ptr<char[]> state;
    bool operator<(const Job &other) const { return until > other.until; }
};

static Job start_job(double until) {
    size_t size = 200 + service_below(3000);
    auto state = std::make_unique<char[]>(size);
    service_fill(state.get(), size);
    return {until, std::move(state)};
}

int main(int argc, char **argv) {
    service_start(argc, argv, 400);
    std::priority_queue<Job> running;
    while (service_next()) {
        double now = service_now();
        double normal = sqrt(-2 * log(1 - service_uniform())) * cos(6.2831853 * service_uniform());
        running.push(start_job(now + 0.012 * exp(1.5 * normal)));
        while (!running.empty() && running.top().until <= now) {
            running.pop();
        }
        service_work();
    }
    service_end(0, running.size(), 0);
}
