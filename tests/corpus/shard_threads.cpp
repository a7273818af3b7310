// shard_threads: four threads serve a shard each, by the same code. The fourth has a shard whose keys are in the old format, and the
// conversion of such a key leaves the old one behind. FIXED converts in place.
#include "service.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

static std::atomic<unsigned long> lost, served;

struct Key {
    bool old;
    char text[180];
};

static SERVICE_NOINLINE Key *parse_key(bool old) {
    Key *key = new Key(); // LEAK parse_key
    key->old = old;
    snprintf(key->text, sizeof key->text, "%s/key", old ? "v1" : "v2");
    return key;
}

static Key *convert(Key *key) {
    if (!key->old) {
        return key;
    }
#ifdef FIXED
    key->old = false;
    return key;
#else
    lost++;
    return parse_key(false); // the bug: the old one is forgotten
#endif
}

static void serve_shard(int shard) {
    uint64_t random = 1234567ULL * (uint64_t)(shard + 1);
    while (service_running()) {
        service_sleep(0.002 + 0.006 * service_uniform_of(&random));
        Key *key = convert(parse_key(shard == 3 && service_uniform_of(&random) < 0.3));
        served += key->text[0] == 'v';
        delete key;
    }
}

int main(int argc, char **argv) {
    service_start(argc, argv, 100);
    std::vector<std::thread> shards;
    for (int shard = 0; shard < 4; shard++) {
        shards.emplace_back(serve_shard, shard);
    }
    for (std::thread &shard : shards) {
        shard.join();
    }
    service.requests = served;
    service_end(lost, 0, served == 0);
}
