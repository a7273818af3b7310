/* libc_malloc: a preload library that leads the malloc family back to glibc's, in a program linked with another allocator.
 *
 * Debian's redis is linked with jemalloc; this gives it the allocator that most programs have. Every function that hands
 * out or takes a block must be here, or a block of one allocator would reach the other: nallocx too, which redis asks how
 * large a block would become.
 * A benchmark's tool: dlsym must not allocate here (glibc's does not when it succeeds).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static size_t (*usable_size)(void *);

__attribute__((constructor(101))) static void resolve(void) {
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    *(void **)&usable_size = dlsym(libc, "malloc_usable_size");
}

EXPORT void *malloc(size_t size) {
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size) {
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size) {
    return __libc_realloc(block, size);
}

EXPORT void free(void *block) {
    __libc_free(block);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

EXPORT size_t malloc_usable_size(void *block) {
    if (usable_size == NULL) {
        resolve();
    }
    return usable_size(block);
}

EXPORT size_t nallocx(size_t size, int flags) {
    (void)flags;
    return size < 24 ? 24 : ((size + 8 + 15) & ~(size_t)15) - 8;
}
