// object_cache: an image service with a FIFO cache of 400 objects of 16 KiB: a map by key, and a queue that says what goes next.
//
// Keys are compared without regard to case when they are queued, and with it in the map: one object in ten is queued under a
// spelling that the map does not know. When its turn comes nothing is erased, and the object stays in the map for ever.
#include "service.h"

#include <cctype>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

static const size_t CAPACITY = 400;

struct Object {
    char pixels[16 * 1024];
};

class Cache {
public:
    SERVICE_NOINLINE void store(const std::string &key) {
        auto object = std::make_shared<Object>();      // LEAK store
        service_fill(object->pixels, sizeof object->pixels);
        objects_[key] = std::move(object);             // LEAK store
        std::string lower = key;
        for (char &c : lower) {
            c = (char)tolower((unsigned char)c);
        }
        order_.push_back(lower);
        if (order_.size() > CAPACITY) {
            stuck_ += objects_.erase(order_.front()) == 0; // the bug
            order_.pop_front();
        }
    }
    size_t stuck() const { return stuck_; }
    size_t size() const { return objects_.size(); }

private:
    std::unordered_map<std::string, std::shared_ptr<Object>> objects_;
    std::deque<std::string> order_;
    size_t stuck_ = 0;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 800);
    Cache cache;
    while (service_next()) {
        cache.store((service_uniform() < 0.1 ? "Image-" : "image-") + std::to_string(service.requests));
    }
    service_end(cache.stuck(), cache.size() - cache.stuck(), 0);
}
