/* many_threads: 1,000 threads alive at the same time, each allocating and freeing what another thread allocated.
 *
 * --threads says how many, --objects how many blocks each makes.
 *
 * expect: exit 0
 */
#include "target.h"

#include <pthread.h>
#include <stdatomic.h>

static struct target_options options = {300, 300, 0, 1000};
static _Atomic(char *) *slots;
static pthread_barrier_t all_alive;

static void *exchange_blocks(void *number) {
    long index = (long)(intptr_t)number;
    pthread_barrier_wait(&all_alive);
    size_t size = (size_t)options.size;
    for (long i = 0; i < options.objects; i++) {
        char *mine = (char *)target_touch(malloc(size), size, 42);
        char *theirs = atomic_exchange(&slots[(index * 7 + i * 13) % options.threads], mine);
        if (theirs != NULL) {
            target_check(target_intact(theirs, size, 42), "a block was damaged", 11);
            free(theirs);
        }
    }
    pthread_barrier_wait(&all_alive);
    return NULL;
}

int main(int argc, char **argv) {
    target_parse(argc, argv, &options);
    slots = (_Atomic(char *) *)calloc((size_t)options.threads, sizeof *slots);
    pthread_t *threads = (pthread_t *)calloc((size_t)options.threads, sizeof *threads);
    pthread_barrier_init(&all_alive, NULL, (unsigned)options.threads);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)128 * 1024);
    for (long i = 0; i < options.threads; i++) {
        int error = pthread_create(&threads[i], &attributes, exchange_blocks, (void *)(intptr_t)i);
        target_check(error == 0, "pthread_create", 3);
    }
    for (long i = 0; i < options.threads; i++) {
        pthread_join(threads[i], NULL);
        free(atomic_load(&slots[i]));
    }
    free(threads);
    free(slots);
    printf("many_threads: %ld threads, %ld blocks\n", options.threads, options.threads * options.objects);
    return 0;
}
