/* tiny_stacks: threads with stacks of 64 KiB and of the smallest size the system allows, all of them allocating.
 *
 * A hook that needs more stack than malloc itself overruns them. A pattern at the far end of each stack shows an
 * overrun that the guard page would miss. --objects is the number of blocks per thread, --threads of threads per size.
 *
 * expect: exit 0
 */
#include "target.h"

#include <limits.h>
#include <pthread.h>

static struct target_options options = {2000, 700, 0, 8};

static void *allocate(void *unused) {
    char *kept[16] = {NULL};
    for (long i = 0; i < options.objects; i++) {
        size_t slot = (size_t)i % 16;
        free(kept[slot]);
        kept[slot] = (char *)target_touch(malloc((size_t)options.size), (size_t)options.size, 5);
        kept[slot] = (char *)realloc(kept[slot], (size_t)options.size * 2);
    }
    for (int slot = 0; slot < 16; slot++) {
        free(kept[slot]);
    }
    return unused;
}

static void run_with_stack(size_t bytes) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    target_check(pthread_attr_setstacksize(&attributes, bytes) == 0, "pthread_attr_setstacksize", 3);
    pthread_t threads[64];
    long count = options.threads < 64 ? options.threads : 64;
    for (long i = 0; i < count; i++) {
        target_check(pthread_create(&threads[i], &attributes, allocate, NULL) == 0, "pthread_create", 3);
    }
    for (long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv) {
    target_parse(argc, argv, &options);
    run_with_stack((size_t)64 * 1024);
    run_with_stack((size_t)sysconf(_SC_THREAD_STACK_MIN));
    printf("tiny_stacks: done\n");
    return 0;
}
