// healthy_cpp_handles: a C++ service whose streams and threads end with their scope.
//
// streams        a std::fstream for each request
// error_path     likewise; one request in ten fails, and the stream is closed on its way out
// threads        a std::thread for each request, joined
// detached       a std::thread for each request, detached
// stream_pool    twenty streams from the start, read again and again
//
// expect: silence
// what: streams error_path threads detached stream_pool
#include "variant.h"

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

std::vector<std::unique_ptr<std::fstream>> pool;

void read_line(std::fstream &file) {
    std::string line;
    need(static_cast<bool>(std::getline(file, line)), "getline");
    variant_note(line.size());
}

void streams(long request) {
    std::fstream file(variant_file, std::ios::in);
    read_line(file);
    variant_note(static_cast<uint64_t>(request));
}

void fail_sometimes(long number) {
    std::fstream file(variant_file, std::ios::in);
    read_line(file);
    if (number % 10 == 7) {
        throw std::runtime_error("the request is bad");
    }
}

void error_path(long request) {
    for (long i = 0; i < 10; i++) {
        try {
            fail_sometimes(request * 10 + i);
        } catch (const std::runtime_error &) {
            variant_note(static_cast<uint64_t>(i));
        }
    }
}

void threads(long request) {
    std::thread([request] { target_traffic(request); }).join();
    variant_note(static_cast<uint64_t>(request));
}

void detached(long request) {
    std::thread([request] { target_traffic(request); }).detach();
    variant_note(static_cast<uint64_t>(request));
}

void begin_pool(const target_options *) {
    for (int i = 0; i < 20; i++) {
        pool.push_back(std::make_unique<std::fstream>(variant_file, std::ios::in));
    }
}

void stream_pool(long request) {
    std::fstream &file = *pool[static_cast<std::size_t>(request) % pool.size()];
    file.clear();
    file.seekg(0);
    read_line(file);
}

void end_pool() {
    pool.clear();
}

const variant variants[] = {
    {"streams", nullptr, streams, nullptr},
    {"error_path", nullptr, error_path, nullptr},
    {"threads", nullptr, threads, nullptr},
    {"detached", nullptr, detached, nullptr},
    {"stream_pool", begin_pool, stream_pool, end_pool},
};

} // namespace

VARIANT_MAIN("healthy_cpp_handles", variants)
