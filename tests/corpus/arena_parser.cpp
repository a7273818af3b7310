// arena_parser: parses requests into an arena of blocks of 16 KiB; the blocks are kept and used again for the next request.
//
// Healthy: the arena grows to what the largest request needs. Large ones are rare and come early.
#include "service.h"

#include <memory>
#include <vector>

class Arena {
public:
    void *take(size_t size) {
        if (used_ + size > BLOCK) {
            block_++;
            used_ = 0;
        }
        if (block_ >= blocks_.size()) {
            blocks_.push_back(std::make_unique<char[]>(BLOCK));
        }
        used_ += size;
        return blocks_[block_].get() + used_ - size;
    }
    void reset() { block_ = used_ = 0; }
    size_t blocks() const { return blocks_.size(); }

private:
    static const size_t BLOCK = 16 * 1024;
    std::vector<std::unique_ptr<char[]>> blocks_;
    size_t block_ = 0, used_ = 0;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 250);
    Arena arena;
    while (service_next()) {
        size_t tokens = 50 + service_below(400);
        if (service_progress() < 0.25 && service_uniform() < 0.1) {
            tokens = 2000 + service_below(12000);
        }
        for (size_t i = 0; i < tokens; i++) {
            service_fill(arena.take(96), 96);
        }
        arena.reset();
        service_work();
    }
    service_end(0, arena.blocks(), 0);
}
