/* counting: a library to be preloaded that stands before malloc and free, counts the calls, and says at the end how many
 * there were: "counting: M mallocs, F frees". It does so in the program that COUNTING_ONLY names (by the end of its path),
 * in every program if the variable is not set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);

static atomic_long mallocs, frees;

void *malloc(size_t size) {
    atomic_fetch_add_explicit(&mallocs, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void free(void *block) {
    atomic_fetch_add_explicit(&frees, 1, memory_order_relaxed);
    __libc_free(block);
}

__attribute__((destructor)) static void tell(void) {
    const char *only = getenv("COUNTING_ONLY");
    char path[4096] = "";
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (only != NULL && (length < (ssize_t)strlen(only) || strcmp(path + length - strlen(only), only) != 0)) {
        return;
    }
    char line[128];
    int bytes = snprintf(line, sizeof line, "counting: %ld mallocs, %ld frees\n", atomic_load(&mallocs), atomic_load(&frees));
    if (write(2, line, (size_t)bytes) < 0) {
        return;
    }
}
