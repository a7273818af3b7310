// object_pool: a market feed handler whose order objects come from a pool that never shrinks.
//
// Healthy: the pool grows with the number of open orders, in steps that become rarer, since the most orders ever open at once is a
// maximum of a random walk with a pull to the middle. The pool makes 32 at a time.
#include "service.h"

#include <vector>

struct Order {
    double price;
    char symbol[120];
};

class Pool {
public:
    Order *take() {
        if (free_.empty()) {
            for (int i = 0; i < 32; i++) {
                free_.push_back(new Order());
                made_++;
            }
        }
        Order *order = free_.back();
        free_.pop_back();
        return order;
    }
    void give(Order *order) { free_.push_back(order); }
    size_t made() const { return made_; }

private:
    std::vector<Order *> free_;
    size_t made_ = 0;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 700);
    Pool pool;
    std::vector<Order *> open;
    while (service_next()) {
        if (service_uniform() < 0.5 + (300.0 - (double)open.size()) / 600.0) {
            open.push_back(pool.take());
            open.back()->price = service_uniform();
        } else if (!open.empty()) {
            size_t at = service_below(open.size());
            pool.give(open[at]);
            open[at] = open.back();
            open.pop_back();
        }
        service_work();
    }
    service_end(0, pool.made(), 0);
}
