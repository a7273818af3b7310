// archive_store: it does both. Its records are replaced by larger ones from time to time, which fragments the heap, and the index entry
// of each record that is looked up is kept in a history that nobody trims: a leak.
//
// Live records stay at 16 MiB. Resident memory grows by the gaps between them and by the history.
#include "service.h"

#include <memory>
#include <vector>

static const size_t LIVE_BYTES = 16UL << 20;
static const size_t SIZES[] = {500, 1500, 4400, 13000, 38000};
static const int PHASES = 5;

struct Record {
    std::unique_ptr<char[]> text;
    size_t size;
};

class Store {
public:
    void fill(size_t size) {
        while (live_ + size <= LIVE_BYTES) {
            store_record(size);
        }
    }
    // Half of the records, chosen by lot, are replaced until `share` of the phase is over.
    void begin_phase() {
        for (size_t i = records_.size() - 1; i > 0; i--) {
            std::swap(records_[i], records_[service_below(i + 1)]);
        }
        doomed_ = begun_ = records_.size() / 2;
    }
    void replace(double share, size_t size) {
        while (doomed_ > 0 && (double)doomed_ > (double)begun_ * (1 - share)) {
            doomed_--;
            live_ -= records_[doomed_].size;
            std::swap(records_[doomed_], records_.back());
            records_.pop_back();
            fill(size);
        }
    }
    SERVICE_NOINLINE void remember_lookup() {
        auto entry = std::make_unique<char[]>(6000); // LEAK remember_lookup
        service_fill(entry.get(), 6000);
        history_.push_back(std::move(entry));
    }
    size_t looked_up() const { return history_.size(); }
    size_t records() const { return records_.size(); }

private:
    void store_record(size_t size) {
        records_.push_back({std::unique_ptr<char[]>(new char[size]), size});
        service_fill(records_.back().text.get(), size);
        live_ += size;
    }
    std::vector<Record> records_;
    std::vector<std::unique_ptr<char[]>> history_;
    size_t live_ = 0, doomed_ = 0, begun_ = 0;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 200);
    Store store;
    int phase = 0;
    store.fill(SIZES[0]);
    while (service_next()) {
        service_work();
        double phases = service_progress() * PHASES;
        if (phase + 1 < PHASES && phases > phase + 1) {
            phase++;
            store.begin_phase();
        }
        store.replace(phases - phase, SIZES[phase]);
        store.remember_lookup();
    }
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long resident = 0;
    service_need(file != nullptr && fscanf(file, "%*u %lu", &resident) == 1, "/proc/self/statm");
    fclose(file);
    fprintf(stderr, "%lu KiB resident, %zu KiB live\n", resident * 4, (LIVE_BYTES + store.looked_up() * 6000) >> 10);
    service_end(store.looked_up(), store.records(), 0);
}
