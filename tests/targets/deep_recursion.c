/* deep_recursion: the leak happens 300 calls deep in a recursion (--threads says how deep).
 *
 * Deeper than any stack that is recorded whole: the innermost frames must be kept, and the truncation said.
 *
 * expect: leak keep_leaf
 */
#include "target.h"

static TARGET_NOINLINE void keep_leaf(size_t size) {
    void *leaf = malloc(size); /* LEAK */
    target_touch(leaf, size, 1);
}

static TARGET_NOINLINE long descend(long depth, size_t size) {
    volatile char local[48];
    local[depth % 48] = (char)depth;
    if (depth == 0) {
        keep_leaf(size);
        return 0;
    }
    return descend(depth - 1, size) + local[depth % 48];
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 300};
    target_parse(argc, argv, &options);
    double start = target_now();
    long sum = 0;
    for (long i = 0; i < options.objects; i++) {
        sum += descend(options.threads, (size_t)options.size);
        target_traffic(i);
        target_pace(start, i + 1, options.objects, options.seconds);
    }
    printf("deep_recursion: %ld leaves forgotten %ld calls deep, checksum %ld\n", options.objects, options.threads, sum);
    return 0;
}
