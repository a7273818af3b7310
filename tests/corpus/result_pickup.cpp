// result_pickup: computes a result per request. Most are sent at once and freed; one in twenty-five is left for its client to pick up,
// which happens within a second and a half.
//
// Healthy: one line whose objects live for a millisecond or for a second, and none for ever.
#include "service.h"

#include <deque>
#include <memory>
#include <utility>

struct Result {
    char rows[700];
};

static std::unique_ptr<Result> compute() {
    auto result = std::make_unique<Result>();
    service_fill(result->rows, sizeof result->rows);
    return result;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 400);
    std::deque<std::pair<double, std::unique_ptr<Result>>> waiting;
    while (service_next()) {
        double now = service_now();
        auto result = compute();
        service_work();
        if (service_uniform() < 0.04) {
            waiting.emplace_back(now + 0.3 + 1.2 * service_uniform(), std::move(result));
        }
        for (size_t i = 0; i < waiting.size();) {
            if (waiting[i].first <= now) {
                std::swap(waiting[i], waiting.back());
                waiting.pop_back();
            } else {
                i++;
            }
        }
    }
    service_end(0, waiting.size(), 0);
}
