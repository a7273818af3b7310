// worker_scratch: short-lived threads that keep a scratch buffer under a thread-specific key. The key has no destructor, so that
// each thread that ends leaves its buffer behind. The threads themselves are joined.
#include "service.h"

#include <pthread.h>

static pthread_key_t key;
static unsigned long lost;

static char *scratch_buffer() {
    auto *buffer = (char *)pthread_getspecific(key);
    if (buffer == nullptr) {
        buffer = new char[6000]; // LEAK scratch_buffer
        service_fill(buffer, 6000);
        pthread_setspecific(key, buffer);
        __atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
    }
    return buffer;
}

static void *format_page(void *number) {
    for (int line = 0; line < 4; line++) {
        snprintf(scratch_buffer(), 6000, "page %lu, line %d", (unsigned long)number, line);
        service_sleep(0.002);
    }
    return nullptr;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 40);
    service_need(pthread_key_create(&key, nullptr) == 0, "key"); // the bug: no destructor
    while (service_next()) {
        pthread_t worker;
        service_need(pthread_create(&worker, nullptr, format_page, (void *)service.requests) == 0, "thread");
        service_work();
        pthread_join(worker, nullptr);
    }
    service_end(lost, 0, 0);
}
