// lru_cache: a name server's cache of 250 answers: a list in order of use, and a map into it. The least recently used goes.
//
// Healthy: full after a sixth of the run, with misses and evictions until the end.
#include "service.h"

#include <list>
#include <string>
#include <unordered_map>

class Cache {
public:
    const std::string &get(unsigned long key) {
        auto found = index_.find(key);
        if (found != index_.end()) {
            order_.splice(order_.begin(), order_, found->second);
        } else {
            order_.emplace_front(key, "answer " + std::to_string(key) + std::string(200, '.'));
            index_[key] = order_.begin();
            if (order_.size() > 250) {
                index_.erase(order_.back().first);
                order_.pop_back();
            }
        }
        return order_.front().second;
    }
    size_t size() const { return order_.size(); }

private:
    std::list<std::pair<unsigned long, std::string>> order_;
    std::unordered_map<unsigned long, std::list<std::pair<unsigned long, std::string>>::iterator> index_;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 500);
    Cache cache;
    size_t sum = 0;
    while (service_next()) {
        double popular = service_uniform();
        sum += cache.get((unsigned long)(popular * popular * 2000)).size();
        service_work();
    }
    service_end(0, cache.size(), sum == 0);
}
