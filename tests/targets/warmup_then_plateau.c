/* warmup_then_plateau: a cache that fills during the first 40 % of the run and from then on replaces entries at random.
 *
 * A near miss: it grows for a while, nothing from the warm-up is ever freed by plan, but it stops at --objects.
 *
 * expect: silence
 */
#include "target.h"

static TARGET_NOINLINE char *new_entry(long key, size_t size) {
    return (char *)target_touch(malloc(size), size, (int)(key & 0xff));
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    size_t size = (size_t)options.size;
    char **cache = (char **)calloc((size_t)options.objects + 1, sizeof *cache);
    double start = target_now();
    double warmup = options.seconds * 0.4;
    for (long i = 0; i < options.objects; i++) {
        cache[i] = new_entry(i, size);
        target_traffic(i);
        target_pace(start, i + 1, options.objects, warmup);
    }
    uint64_t random = 88172645463325252U;
    for (long i = 0; i < 2 * options.objects; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        long slot = (long)(random % (uint64_t)options.objects);
        free(cache[slot]);
        cache[slot] = new_entry(i, size);
        target_traffic(i);
        target_pace(start + warmup, i + 1, 2 * options.objects, options.seconds - warmup);
    }
    for (long i = 0; i < options.objects; i++) {
        free(cache[i]);
    }
    free(cache);
    printf("warmup_then_plateau: %ld entries held\n", options.objects);
    return 0;
}
