/* cross_thread: one thread allocates, another frees; blocks are handed over in batches. cross_thread BLOCKS [together]
 *
 * By default the threads take turns: every block is freed by another thread, nothing contends, and the figures repeat.
 * With "together" both run at once over a ring of eight batches and contend for the allocator's arena, as real programs
 * do; how much is chance, so these figures scatter. Nothing spins: CPU time measures work.
 */
#include "bench.h"

#include <pthread.h>

#define BATCH 4096
#define BATCHES 8

static char *ring[BATCHES][BATCH];
static int filled, limit = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long batches;

static void *consume(void *unused) {
    for (long batch = 0; batch < batches; batch++) {
        pthread_mutex_lock(&lock);
        while (filled == 0) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < BATCH; i++) {
            free(ring[batch % BATCHES][i]);
        }
        pthread_mutex_lock(&lock);
        filled--;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

int main(int argc, char **argv) {
    batches = bench_count(argc, argv, 2000000) / BATCH + 1;
    if (argc > 2 && strcmp(argv[2], "together") == 0) {
        limit = BATCHES;
    }
    uint64_t state = BENCH_SEED;
    pthread_t consumer;
    if (pthread_create(&consumer, NULL, consume, NULL) != 0) {
        fprintf(stderr, "cross_thread: pthread_create failed\n");
        return 1;
    }
    for (long batch = 0; batch < batches; batch++) {
        pthread_mutex_lock(&lock);
        while (filled == limit) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < BATCH; i++) {
            char *block = (char *)malloc(16 + (size_t)(bench_random(&state) % 1009));
            block[0] = 1;
            ring[batch % BATCHES][i] = block;
        }
        pthread_mutex_lock(&lock);
        filled++;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
    pthread_join(consumer, NULL);
    return 0;
}
