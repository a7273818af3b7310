// thumbnail_cache: keeps every thumbnail it ever made under its address. Addresses come with a session's number in them, so that
// most are new: hits for some, growth without end.
#include "service.h"

#include <string>
#include <unordered_map>
#include <vector>

class Thumbnails {
public:
    size_t get(const std::string &address) {
        auto found = cache_.find(address);
        if (found != cache_.end()) {
            hits_++;
            return found->second.size();
        }
        return insert_thumbnail(address);
    }
    size_t size() const { return cache_.size(); }
    size_t hits() const { return hits_; }

private:
    SERVICE_NOINLINE size_t insert_thumbnail(const std::string &address) {
        std::vector<unsigned char> pixels(900, 3);              // LEAK insert_thumbnail
        auto made = cache_.emplace(address, std::move(pixels)); // LEAK insert_thumbnail
        return made.first->second.size();
    }
    std::unordered_map<std::string, std::vector<unsigned char>> cache_;
    size_t hits_ = 0;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 150);
    Thumbnails thumbnails;
    size_t sum = 0;
    while (service_next()) {
        unsigned long image = service_uniform() < 0.4 ? service_below(30) : 1000 + service.requests;
        sum += thumbnails.get("/thumbnails/" + std::to_string(image) + "?size=small&quality=80");
        service_work();
    }
    service_end(thumbnails.size(), 0, sum == 0 || thumbnails.hits() == 0);
}
