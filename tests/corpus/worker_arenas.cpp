// worker_arenas: a server with a pool of fourteen threads, started one after another, each with a heap of its own in glibc.
//
// Each thread once sorts a large batch of small blocks, frees it, and keeps one small result that was allocated last: it lies at the
// end of the thread's heap and keeps all of that heap resident. Live bytes are level, resident memory grows by a heap per thread.
#include "service.h"

#include <pthread.h>
#include <vector>

static const int THREADS = 14;
static pthread_t workers[THREADS];
static char *results[THREADS];
static pthread_mutex_t over = PTHREAD_MUTEX_INITIALIZER;

static void *serve(void *place) {
    {
        std::vector<char *> batch;
        batch.reserve(6000);
        for (int i = 0; i < 6000; i++) {
            batch.push_back((char *)service_fill(malloc(1024), 1024));
        }
        *(char **)place = (char *)service_fill(malloc(64), 64);
        for (char *block : batch) {
            free(block);
        }
    }
    // Idle until the end, as a pool's threads are at night.
    pthread_mutex_lock(&over);
    pthread_mutex_unlock(&over);
    return nullptr;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 100);
    pthread_mutex_lock(&over);
    int started = 0;
    while (service_next()) {
        service_work();
        if (started < THREADS && service_progress() * (THREADS + 0.5) > started) {
            service_need(pthread_create(&workers[started], nullptr, serve, &results[started]) == 0, "thread");
            started++;
        }
    }
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    service_need(file != nullptr && fscanf(file, "%*u %lu", &resident) == 1, "/proc/self/statm");
    fclose(file);
    fprintf(stderr, "%lu KiB resident\n", resident * 4);
    service_end(resident > 10000 ? resident : 0, 0, 0);
}
