// leak_cpp_handles: a C++ service that forgets what the standard library opened for it.
//
// keep_fstream   a std::fstream made with `new` and never deleted
// lose_fstream   likewise, but only if the request fails: an exception jumps over the delete
// forget_thread  a std::thread made with `new`, which ends and is never joined
//
// expect: leak keep_fstream lose_fstream forget_thread
// kind: keep_fstream stream-not-closed|file-not-closed
// also: keep_fstream heap-growth heap-unreachable
// kind: lose_fstream file-error-path|stream-not-closed
// also: lose_fstream heap-growth heap-error-path heap-unreachable
// kind: forget_thread thread-not-joined
// also: forget_thread heap-growth heap-unreachable
#include "variant.h"

#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

TARGET_NOINLINE void keep_fstream(long request) {
    auto *file = new std::fstream;
    file->open(variant_file, std::ios::in); // LEAK
    std::string line;
    need(static_cast<bool>(std::getline(*file, line)), "getline");
    variant_note(static_cast<uint64_t>(request) + line.size());
}

void check(long number) {
    if (number % 10 == 7) {
        throw std::runtime_error("the request is bad");
    }
}

TARGET_NOINLINE void lose_fstream(long number) {
    auto *file = new std::fstream;
    file->open(variant_file, std::ios::in); // LEAK
    use_pointer(file, "new");
    check(number);
    delete file;
}

void lose_step(long request) {
    uint64_t failed = 0;
    for (long i = 0; i < 10; i++) {
        try {
            lose_fstream(request * 10 + i);
        } catch (const std::runtime_error &) {
            failed++;
        }
    }
    variant_note(failed);
}

TARGET_NOINLINE void forget_thread(long request) {
    auto *thread = new std::thread([request] { target_traffic(request); }); // LEAK
    use_pointer(thread, "new");
    variant_note(static_cast<uint64_t>(request));
}

const variant variants[] = {
    {"keep_fstream", nullptr, keep_fstream, nullptr},
    {"lose_fstream", nullptr, lose_step, nullptr},
    {"forget_thread", nullptr, forget_thread, nullptr},
};

} // namespace

VARIANT_MAIN("leak_cpp_handles", variants)
