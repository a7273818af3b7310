// late_alloc: allocates and frees on the way out: atexit and on_exit handlers, static and thread-local C++ destructors,
// pthread key destructors that set their key again, functions with the destructor attribute.
//
// Threads end while main goes on, and main's own thread-local state is torn down at exit. Blocks allocated early are
// freed late. The last line is written with write(2) by the very last destructor.
//
// expect: exit 0
#include "target.h"

#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

namespace {

int stages = 0;

void work() {
    for (long i = 0; i < 50; i++) {
        target_traffic(i);
    }
    __atomic_add_fetch(&stages, 1, __ATOMIC_RELAXED);
}

struct Local {
    std::vector<std::string> kept;
    ~Local() {
        work();
        kept.emplace_back(1000, 'z');
        kept.clear();
    }
};
thread_local Local local;

pthread_key_t key;

// Sets its own key again three times: the rounds of pthread's destructor loop.
void on_key(void *value) {
    work();
    auto *round = static_cast<int *>(value);
    if (++*round < 4) {
        pthread_setspecific(key, round);
    } else {
        delete round;
    }
}

char *block_from_main = nullptr;

void at_exit() {
    work();
    free(block_from_main);
    block_from_main = nullptr;
}

void on_exit_handler(int, void *argument) {
    work();
    free(argument);
}

struct Static {
    std::string *text = new std::string(5000, 's');
    ~Static() {
        work();
        delete text;
    }
};
Static static_object;

void thread_body() {
    local.kept.emplace_back(300, 't');
    pthread_setspecific(key, new int(0));
    work();
}

__attribute__((destructor)) void last() {
    work();
    const char *line = stages >= 50 ? "late_alloc: done\n" : "late_alloc: too few stages\n";
    if (write(1, line, strlen(line)) < 0) {
        _exit(4);
    }
}

} // namespace

int main() {
    pthread_key_create(&key, on_key);
    std::atexit(at_exit);
    on_exit(on_exit_handler, target_touch(malloc(700), 700, 1));
    for (int round = 0; round < 4; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; i++) {
            threads.emplace_back(thread_body);
        }
        for (auto &thread : threads) {
            thread.join();
        }
    }
    local.kept.emplace_back(300, 'm');
    pthread_setspecific(key, new int(3));
    block_from_main = static_cast<char *>(target_touch(malloc(60000), 60000, 2));
    return 0;
}
