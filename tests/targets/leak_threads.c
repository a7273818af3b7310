/* leak_threads: --threads workers, each of which forgets its share of the objects; short-lived threads come and go beside them.
 *
 * The stacks end in the worker function of a thread, not in main. Blocks of healthy traffic are passed to a neighbour
 * and freed there.
 *
 * expect: leak keep_result
 */
#include "target.h"

#include <pthread.h>
#include <stdatomic.h>

static struct target_options options = {300, 4096, 3, 8};
static _Atomic(void *) mailbox;
static atomic_long forgotten;

static TARGET_NOINLINE void keep_result(size_t size) {
    void *result = malloc(size); /* LEAK */
    target_touch(result, size, 7);
    atomic_fetch_add(&forgotten, 1);
}

static void *short_lived(void *unused) {
    target_traffic(1);
    return unused;
}

static void *worker(void *number) {
    long index = (long)(intptr_t)number;
    long share = options.objects / options.threads + (index < options.objects % options.threads);
    double start = target_now();
    for (long i = 0; i < share; i++) {
        target_traffic(i);
        keep_result((size_t)options.size);
        free(atomic_exchange(&mailbox, target_touch(malloc(100), 100, 9)));
        if (i % 64 == 0) {
            pthread_t visitor;
            target_check(pthread_create(&visitor, NULL, short_lived, NULL) == 0, "pthread_create", 3);
            pthread_join(visitor, NULL);
        }
        target_pace(start, i + 1, share, options.seconds);
    }
    return NULL;
}

int main(int argc, char **argv) {
    target_parse(argc, argv, &options);
    pthread_t *threads = (pthread_t *)calloc((size_t)options.threads, sizeof(pthread_t));
    for (long i = 0; i < options.threads; i++) {
        target_check(pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)i) == 0, "pthread_create", 3);
    }
    for (long i = 0; i < options.threads; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
    free(atomic_exchange(&mailbox, NULL));
    printf("leak_threads: %ld objects forgotten by %ld threads\n", atomic_load(&forgotten), options.threads);
    return 0;
}
