// event_bus: widgets subscribe to a bus when they are opened; the bus keeps the callback, with the state it captured, for ever.
//
// unsubscribe() is called with the number of the widget instead of the number of its subscription, so that hardly any is removed.
#include "service.h"

#include <functional>
#include <map>
#include <string>

class Bus {
public:
    SERVICE_NOINLINE unsigned long subscribe(std::string topic, unsigned long widget) {
        auto callback = [topic, widget](unsigned long event) { return topic.size() + widget + event; };
        callbacks_.emplace(++last_, callback); // LEAK subscribe
        return last_;
    }
    void unsubscribe(unsigned long number) { callbacks_.erase(number); }
    unsigned long publish(unsigned long event) const {
        unsigned long sum = 0;
        // Only the newest are told; the others have seen enough.
        int told = 0;
        for (auto at = callbacks_.rbegin(); at != callbacks_.rend() && told < 5; ++at, ++told) {
            sum += at->second(event);
        }
        return sum;
    }
    size_t size() const { return callbacks_.size(); }

private:
    std::map<unsigned long, std::function<unsigned long(unsigned long)>> callbacks_;
    unsigned long last_ = 1000000;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 80);
    Bus bus;
    unsigned long sum = 0;
    while (service_next()) {
        bus.subscribe("window/" + std::to_string(service.requests) + "/resized-or-moved-by-the-user", service.requests);
        service_work();
        sum += bus.publish(service.requests);
        bus.unsubscribe(service.requests); // the bug
    }
    service_end(bus.size(), 0, sum == 0);
}
