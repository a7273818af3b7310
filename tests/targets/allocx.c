/* allocx: forgets --objects blocks of --size bytes through each of jemalloc's own functions, one function each, and takes as many
 * again that it gives back through dallocx and sdallocx.
 *
 * expect: leak by_mallocx by_rallocx by_xallocx
 */
#include "target.h"

#include <jemalloc/jemalloc.h>

static TARGET_NOINLINE void by_mallocx(size_t size) {
    target_touch(mallocx(size, 0), size, 1); /* LEAK */
    dallocx(target_touch(mallocx(size, MALLOCX_ALIGN(256)), size, 1), 0);
}

static TARGET_NOINLINE void by_rallocx(size_t size) {
    void *block = target_touch(malloc(1), 1, 1);
    target_touch(rallocx(block, size, 0), size, 1); /* LEAK */
    block = target_touch(rallocx(malloc(1), size, 0), size, 1);
    sdallocx(block, size, 0);
}

/* Shrinks in place, as far as that can be done; either way it is the block that is left. */
static TARGET_NOINLINE void by_xallocx(size_t size) {
    void *block = target_touch(malloc(size), size, 1);
    target_check(xallocx(block, size, 0, 0) >= size, "xallocx", 4); /* LEAK */
    block = target_touch(malloc(size), size, 1);
    target_check(xallocx(block, size, 1 << 20, MALLOCX_ZERO) >= size, "xallocx", 4);
    free(block);
}

int main(int argc, char **argv) {
    struct target_options options = {300, 2000, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    for (long i = 0; i < options.objects; i++) {
        target_pace(start, i, options.objects, options.seconds);
        by_mallocx((size_t)options.size);
        by_rallocx((size_t)options.size);
        by_xallocx((size_t)options.size);
    }
    printf("allocx: %ld rounds\n", options.objects);
    return 0;
}
