/* realloc_exact: a transcript of everything the malloc family promises, to be compared with and without MemGuard.
 *
 * Contents kept by realloc, failures that keep the old block, overflow checks, alignments, error codes, errno left alone
 * by free, usable sizes. Only facts that do not depend on addresses are printed. --objects is the number of rounds of the
 * randomised part, which checks contents at every step.
 *
 * expect: exit 0
 */
#include "target.h"

#include <malloc.h>

static const char *error_name(int error) {
    switch (error) {
    case 0:
        return "0";
    case EINVAL:
        return "EINVAL";
    case ENOMEM:
        return "ENOMEM";
    case EDOM:
        return "EDOM (unchanged)";
    default:
        return "another";
    }
}

/* errno is set to EDOM before each call, so that "unchanged" can be told from "set to 0". */
#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = EDOM;                                                                                                  \
        void *volatile result = (call);                                                                                \
        int error = errno;                                                                                             \
        printf("%-44s -> %s, errno %s\n", #call, result == NULL ? "NULL" : "a block", error_name(error));             \
        free(result);                                                                                                  \
    } while (0)

static volatile size_t huge = SIZE_MAX;
static volatile size_t half = SIZE_MAX / 2 + 1;
static volatile size_t largest = PTRDIFF_MAX;
static volatile size_t zero = 0;

static void failures(void) {
    SHOW(malloc(huge));
    SHOW(malloc(largest));
    SHOW(malloc(zero));
    SHOW(malloc(100));
    SHOW(calloc(half, 2));
    SHOW(calloc(huge, huge));
    SHOW(calloc(zero, 100));
    SHOW(calloc(100, zero));
    SHOW(calloc(huge, 1));
    SHOW(realloc(NULL, huge));
    SHOW(realloc(NULL, 100));
    SHOW(realloc(NULL, zero));
    SHOW(reallocarray(NULL, half, 2));
    SHOW(reallocarray(NULL, 10, 10));
    SHOW(aligned_alloc(64, 640));
    SHOW(aligned_alloc(64, huge));
    SHOW(memalign(64, 100));
    SHOW(memalign(64, huge));
    SHOW(memalign(48, 100));
    SHOW(valloc(100));
    SHOW(valloc(huge));
    SHOW(pvalloc(100));
    SHOW(pvalloc(huge));
}

static int is_aligned(const void *block, size_t alignment) {
    return (uintptr_t)block % (alignment == 0 ? 1 : alignment) == 0;
}

static void posix(size_t alignment, size_t size) {
    static char marker;
    void *untouched = &marker;
    void *block = untouched;
    errno = EDOM;
    int status = posix_memalign(&block, alignment, size);
    printf("posix_memalign(%zu, %zu) -> %s, errno %s, %s\n", alignment, size, error_name(status), error_name(errno),
           block == untouched ? "pointer untouched" : is_aligned(block, alignment) ? "aligned" : "NOT aligned");
    if (status == 0) {
        free(block);
    }
}

static void old_block_survives(void) {
    char *block = (char *)target_touch(malloc(1000), 1000, 17);
    errno = EDOM;
    void *volatile grown = realloc(block, huge);
    printf("realloc(block, SIZE_MAX) -> %s, errno %s, old block %s\n", grown == NULL ? "NULL" : "a block",
           error_name(errno), target_intact(block, 1000, 17) ? "intact" : "DAMAGED");
    errno = EDOM;
    grown = reallocarray(block, half, 2);
    printf("reallocarray(block, overflow) -> %s, errno %s, old block %s\n", grown == NULL ? "NULL" : "a block",
           error_name(errno), target_intact(block, 1000, 17) ? "intact" : "DAMAGED");
    block = (char *)realloc(block, 3000);
    printf("realloc(block, 3000) after the failures: contents %s\n", target_intact(block, 1000, 17) ? "kept" : "LOST");
    errno = EDOM;
    grown = realloc(block, zero);
    printf("realloc(block, 0) -> %s, errno %s\n", grown == NULL ? "NULL" : "a block", error_name(errno));
    free(grown);
}

/* Through a pointer: the compiler knows that free keeps errno, and would not look. */
static void (*volatile release)(void *) = free;

static void errno_and_sizes(void) {
    void *small = malloc(100);
    void *large = malloc(10 << 20);
    errno = ERANGE;
    release(small);
    printf("free(small) leaves errno %s\n", errno == ERANGE ? "alone" : "CHANGED");
    errno = ERANGE;
    release(large);
    printf("free(large) leaves errno %s\n", errno == ERANGE ? "alone" : "CHANGED");
    errno = ERANGE;
    release(NULL);
    printf("free(NULL) leaves errno %s\n", errno == ERANGE ? "alone" : "CHANGED");
    static const size_t sizes[] = {0, 1, 24, 25, 40, 1000, 1024, 5000, 200000, 10 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = malloc(sizes[i]);
        printf("malloc_usable_size(malloc(%zu)) = %zu\n", sizes[i], malloc_usable_size(block));
        free(block);
    }
    printf("malloc_usable_size(NULL) = %zu\n", malloc_usable_size(NULL));
    char *cleared = (char *)calloc(1000, 7);
    printf("calloc(1000, 7): %s\n", target_intact(cleared, 7000, 0) ? "all zero" : "NOT ZERO");
    free(cleared);
}

/* Random walk over 64 blocks; every block's whole content is known and checked whenever it is touched. */
static void random_walk(long rounds) {
    static char *blocks[64];
    static size_t sizes[64];
    uint64_t random = 2463534242U;
    size_t checked = 0;
    for (long round = 0; round < rounds; round++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t slot = random % 64;
        size_t size = 1 + (size_t)((random >> 8) % (((random >> 40) % 50 == 0) ? 400000 : 3000));
        int byte = (int)slot + 1;
        target_check(target_intact(blocks[slot], sizes[slot], byte), "contents lost", 11);
        checked += sizes[slot];
        switch ((random >> 32) % 5) {
        case 0:
            free(blocks[slot]);
            blocks[slot] = NULL;
            sizes[slot] = 0;
            break;
        case 1:
            free(blocks[slot]);
            target_check(posix_memalign((void **)&blocks[slot], 256, size) == 0, "posix_memalign", 12);
            target_check((uintptr_t)blocks[slot] % 256 == 0, "alignment", 13);
            sizes[slot] = size;
            target_touch(blocks[slot], size, byte);
            break;
        default: {
            size_t kept = size < sizes[slot] ? size : sizes[slot];
            blocks[slot] = (char *)realloc(blocks[slot], size);
            target_check(blocks[slot] != NULL && target_intact(blocks[slot], kept, byte), "realloc lost contents", 14);
            sizes[slot] = size;
            target_touch(blocks[slot], size, byte);
        }
        }
    }
    for (size_t slot = 0; slot < 64; slot++) {
        free(blocks[slot]);
    }
    printf("random walk: %ld rounds, %zu bytes checked\n", rounds, checked);
}

int main(int argc, char **argv) {
    struct target_options options = {20000, 1, 0, 1};
    target_parse(argc, argv, &options);
    failures();
    posix(64, 100);
    posix(4096, 100);
    posix(0, 100);
    posix(3, 100);
    posix(4, 100);
    posix(48, 100);
    posix(64, SIZE_MAX);
    posix(64, 0);
    old_block_survives();
    errno_and_sizes();
    random_walk(options.objects);
    return 0;
}
