/* relaying_operators: as a library, an allocator whose operators call its malloc by name, so that they pass through whatever
 * stands before that; its free is its own.
 *
 * expect: exit 0
 */
#include <new>

#include <stddef.h>

extern "C" void *__libc_malloc(size_t);
extern "C" void __libc_free(void *);

extern "C" void *malloc(size_t size) {
    return __libc_malloc(size);
}

extern "C" void free(void *block) {
    __libc_free(block);
}

void *operator new(size_t size) {
    void *block = malloc(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

void operator delete(void *block) noexcept {
    free(block);
}

void operator delete(void *block, size_t) noexcept {
    free(block);
}
