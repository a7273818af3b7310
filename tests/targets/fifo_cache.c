/* fifo_cache: a bounded first-in-first-out cache of --objects entries; each lives for a fifth of the run and is then freed.
 *
 * A near miss: every entry lives long and equally long, and at any moment the youngest fifth of the run is all alive.
 *
 * expect: silence
 */
#include "target.h"

static TARGET_NOINLINE char *admit(long key, size_t size) {
    return (char *)target_touch(malloc(size), size, (int)(key & 0xff));
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    long capacity = options.objects > 0 ? options.objects : 1;
    char **ring = (char **)calloc((size_t)capacity, sizeof *ring);
    double start = target_now();
    long steps = 5 * options.objects;
    for (long i = 0; i < steps; i++) {
        free(ring[i % capacity]);
        ring[i % capacity] = admit(i, (size_t)options.size);
        target_traffic(i);
        target_pace(start, i + 1, steps, options.seconds);
    }
    for (long i = 0; i < capacity; i++) {
        free(ring[i]);
    }
    free(ring);
    printf("fifo_cache: %ld entries went through %ld slots\n", steps, capacity);
    return 0;
}
