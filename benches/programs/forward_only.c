/* forward_only: a preload library that passes malloc, calloc, realloc and free on, and does nothing else.
 *
 * The floor that an interposer is compared with: load the real function's address, see that it is there, jump. Built
 * with -DBARE the question is left out too: the pointers first lead to functions that look the real ones up, and a call
 * is a single indirect jump.
 * A benchmark's tool, not a model: dlsym must not allocate here (glibc's does not when it succeeds).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef BARE
static void *first_malloc(size_t size);
static void *first_calloc(size_t count, size_t size);
static void *first_realloc(void *block, size_t size);
static void first_free(void *block);
#define INITIALLY(function) function
#define READY(pointer) ((void)0)
#else
#define INITIALLY(function) NULL
#define READY(pointer)                                                                                                 \
    do {                                                                                                               \
        if (__builtin_expect((pointer) == NULL, 0)) {                                                                  \
            resolve();                                                                                                 \
        }                                                                                                              \
    } while (0)
#endif

static void *(*real_malloc)(size_t) = INITIALLY(first_malloc);
static void *(*real_calloc)(size_t, size_t) = INITIALLY(first_calloc);
static void *(*real_realloc)(void *, size_t) = INITIALLY(first_realloc);
static void (*real_free)(void *) = INITIALLY(first_free);

__attribute__((constructor(101), cold, noinline)) static void resolve(void) {
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
}

EXPORT void *malloc(size_t size) {
    READY(real_malloc);
    return real_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size) {
    READY(real_calloc);
    return real_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size) {
    READY(real_realloc);
    return real_realloc(block, size);
}

EXPORT void free(void *block) {
    READY(real_free);
    real_free(block);
}

#ifdef BARE
static void *first_malloc(size_t size) {
    resolve();
    return real_malloc(size);
}

static void *first_calloc(size_t count, size_t size) {
    resolve();
    return real_calloc(count, size);
}

static void *first_realloc(void *block, size_t size) {
    resolve();
    return real_realloc(block, size);
}

static void first_free(void *block) {
    resolve();
    real_free(block);
}
#endif
