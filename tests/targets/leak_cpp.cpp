// leak_cpp: a C++ service whose Session::open makes a session state with `new` and never deletes it.
//
// The state holds a std::string of --size bytes, so most bytes are taken inside libstdc++: the report must name
// Session::open, not operator new nor basic_string. Vectors, maps and strings of the ordinary traffic are healthy.
//
// expect: leak Session::open
#include "target.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct State {
    std::string buffer;
    long request;
};

class Session {
  public:
    explicit Session(long request) : request_(request) {}
    TARGET_NOINLINE void open(std::size_t size);
    TARGET_NOINLINE std::size_t work();

  private:
    long request_;
    State *state_ = nullptr;
};

void Session::open(std::size_t size) {
    state_ = new State{std::string(size, 'x'), request_}; // LEAK
    __asm__ volatile("" : : "r"(state_) : "memory");
}

std::size_t Session::work() {
    std::vector<std::string> words;
    std::map<std::string, long> counts;
    for (long i = 0; i < 10; i++) {
        words.push_back("a word that is too long for the small string optimisation " + std::to_string(i));
        counts[words.back()] = i;
    }
    return words.size() + counts.size() + state_->buffer.size();
}

} // namespace

int main(int argc, char **argv) {
    target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    std::size_t worked = 0;
    for (long request = 0; request < options.objects; request++) {
        auto session = std::make_unique<Session>(request);
        session->open(static_cast<std::size_t>(options.size));
        worked += session->work();
        target_pace(start, request + 1, options.objects, options.seconds);
    }
    std::printf("leak_cpp: %ld sessions opened, %zu units of work\n", options.objects, worked);
    return 0;
}
