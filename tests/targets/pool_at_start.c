/* pool_at_start: takes all its --objects buffers in its first moment, uses them throughout, and never frees them.
 *
 * A near miss: nothing of the pool is ever freed, as in a leak; but it does not grow and stays reachable.
 *
 * expect: silence
 */
#include "target.h"

static char **pool;

static TARGET_NOINLINE void fill_pool(long count, size_t size) {
    pool = (char **)calloc((size_t)count + 1, sizeof *pool);
    for (long i = 0; i < count; i++) {
        pool[i] = (char *)target_touch(malloc(size), size, (int)(i & 0xff));
    }
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    fill_pool(options.objects, (size_t)options.size);
    double start = target_now();
    unsigned long sum = 0;
    for (long request = 0; request < options.objects; request++) {
        sum += (unsigned char)pool[request][options.size / 2];
        target_traffic(request);
        target_pace(start, request + 1, options.objects, options.seconds);
    }
    printf("pool_at_start: %ld buffers, checksum %lu\n", options.objects, sum);
    return 0;
}
