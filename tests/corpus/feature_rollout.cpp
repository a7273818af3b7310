// feature_rollout: a recommendation service. After two fifths of the run a new ranking model is switched on.
//
// The old ranker returns its scratch; the new one keeps the feature vector of each request "for training" in a list that nobody
// collects. Before the switch nothing leaks.
#include "service.h"

#include <list>
#include <vector>

struct Features {
    std::vector<float> values;
};

class Ranker {
public:
    float rank_old(size_t size) {
        std::vector<float> scratch(size, 0.5F);
        return scratch[size / 2];
    }
    float rank_new(size_t size) {
        keep_features(size);
        return training_.back().values[size / 2];
    }
    size_t kept() const { return training_.size(); }

private:
    SERVICE_NOINLINE void keep_features(size_t size) {
        training_.emplace_back();                      // LEAK keep_features
        training_.back().values.assign(size, 0.25F);   // LEAK keep_features
    }
    std::list<Features> training_;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 200);
    Ranker ranker;
    double sum = 0;
    while (service_next()) {
        size_t size = 2000 + service_below(2000);
        sum += service_progress() < 0.4 ? ranker.rank_old(size) : ranker.rank_new(size);
        service_work();
    }
    service_end(ranker.kept(), 0, sum < 1);
}
