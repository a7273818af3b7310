// order_service: validates orders and throws on a bad one. What was allocated with plain new before the throw is lost.
//
// One order in thirty is bad. FIXED holds the order in a unique_ptr.
#include "service.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct Order {
    std::vector<int> items;
    std::string note;
};

static unsigned long lost;

static Order *read_order(unsigned long number) {
    Order *order = new Order();                          // LEAK read_order
    order->items.assign(4 + number % 10, (int)number);   // LEAK read_order
    order->note.assign(120, 'n');                        // LEAK read_order
    return order;
}

static void validate(const Order &order, bool bad) {
    if (bad) {
        throw std::invalid_argument("order has " + std::to_string(order.items.size()) + " items");
    }
}

static size_t process(unsigned long number, bool bad) {
#ifdef FIXED
    std::unique_ptr<Order> order(read_order(number));
    validate(*order, bad);
    return order->items.size();
#else
    Order *order = read_order(number);
    lost += bad;
    validate(*order, bad); // the bug: throws past the delete
    size_t size = order->items.size();
    delete order;
    return size;
#endif
}

int main(int argc, char **argv) {
    service_start(argc, argv, 450);
    unsigned long items = 0, refused = 0;
    while (service_next()) {
        try {
            items += process(service.requests, service_uniform() < 0.033);
        } catch (const std::invalid_argument &) {
            refused++;
        }
        service_work();
    }
    service_end(lost, 0, items == 0 || refused == 0);
}
