/* malloc_family: forgets --objects blocks of --size bytes through each function of the malloc family, one function each.
 *
 * Every by_... function below must be found when every allocation is recorded; the same function also takes a second
 * block and gives it back, which must not be counted. Where free_sized and free_aligned_sized exist, the second blocks are
 * given back through them.
 *
 * expect: leak by_malloc by_calloc by_realloc by_reallocarray by_posix_memalign by_aligned_alloc by_memalign by_valloc by_pvalloc by_strdup by_strndup by_asprintf by_getline
 */
#include "target.h"

#include <dlfcn.h>
#include <malloc.h>

static void (*sized_free)(void *, size_t);
static void (*aligned_sized_free)(void *, size_t, size_t);

static void give_back(void *block, size_t size) {
    if (sized_free != NULL) {
        sized_free(block, size);
    } else {
        free(block);
    }
}

static void give_back_aligned(void *block, size_t alignment, size_t size) {
    if (aligned_sized_free != NULL) {
        aligned_sized_free(block, alignment, size);
    } else {
        free(block);
    }
}

static TARGET_NOINLINE void by_malloc(size_t size) {
    target_touch(malloc(size), size, 1); /* LEAK */
    give_back(target_touch(malloc(size), size, 1), size);
}

static TARGET_NOINLINE void by_calloc(size_t size) {
    target_touch(calloc(1, size), size, 1); /* LEAK */
    give_back(target_touch(calloc(1, size), size, 1), size);
}

static TARGET_NOINLINE void by_realloc(size_t size) {
    void *block = malloc(size / 2 + 1);
    target_touch(block, 1, 1);
    target_touch(realloc(block, size), size, 1); /* LEAK */
    give_back(target_touch(realloc(malloc(1), size), size, 1), size);
}

static TARGET_NOINLINE void by_reallocarray(size_t size) {
    target_touch(reallocarray(NULL, 1, size), size, 1); /* LEAK */
    give_back(target_touch(reallocarray(NULL, 1, size), size, 1), size);
}

static TARGET_NOINLINE void by_posix_memalign(size_t size) {
    void *block = NULL;
    target_check(posix_memalign(&block, 64, size) == 0, "posix_memalign", 3); /* LEAK */
    target_touch(block, size, 1);
    target_check(posix_memalign(&block, 64, size) == 0, "posix_memalign", 3);
    give_back_aligned(target_touch(block, size, 1), 64, size);
}

static TARGET_NOINLINE void by_aligned_alloc(size_t size) {
    target_touch(aligned_alloc(64, size), size, 1); /* LEAK */
    give_back_aligned(target_touch(aligned_alloc(64, size), size, 1), 64, size);
}

static TARGET_NOINLINE void by_memalign(size_t size) {
    target_touch(memalign(128, size), size, 1); /* LEAK */
    free(target_touch(memalign(128, size), size, 1));
}

static TARGET_NOINLINE void by_valloc(size_t size) {
    target_touch(valloc(size), size, 1); /* LEAK */
    free(target_touch(valloc(size), size, 1));
}

static TARGET_NOINLINE void by_pvalloc(size_t size) {
    target_touch(pvalloc(size), size, 1); /* LEAK */
    free(target_touch(pvalloc(size), size, 1));
}

static TARGET_NOINLINE void by_strdup(const char *text, size_t size) {
    target_touch(strdup(text), size, 1); /* LEAK */
    free(target_touch(strdup(text), size, 1));
}

static TARGET_NOINLINE void by_strndup(const char *text, size_t size) {
    target_touch(strndup(text, size), size, 1); /* LEAK */
    free(target_touch(strndup(text, size), size, 1));
}

static TARGET_NOINLINE void by_asprintf(const char *text) {
    char *line = NULL;
    target_check(asprintf(&line, "%s.", text) > 0, "asprintf", 3); /* LEAK */
    target_touch(line, 1, 1);
    target_check(asprintf(&line, "%s.", text) > 0, "asprintf", 3);
    free(target_touch(line, 1, 1));
}

static TARGET_NOINLINE void by_getline(FILE *input) {
    char *line = NULL;
    size_t capacity = 0;
    rewind(input);
    target_check(getline(&line, &capacity, input) > 0, "getline", 3); /* LEAK */
    target_touch(line, 1, 1);
}

int main(int argc, char **argv) {
    struct target_options options = {300, 1024, 3, 1};
    target_parse(argc, argv, &options);
    *(void **)&sized_free = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&aligned_sized_free = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    size_t size = ((size_t)options.size + 63) / 64 * 64;
    char *text = (char *)target_touch(malloc(size), size, 'm');
    text[size - 1] = '\0';
    FILE *input = tmpfile();
    target_check(input != NULL && fputs(text, input) >= 0, "tmpfile", 3);
    double start = target_now();
    for (long i = 0; i < options.objects; i++) {
        by_malloc(size);
        by_calloc(size);
        by_realloc(size);
        by_reallocarray(size);
        by_posix_memalign(size);
        by_aligned_alloc(size);
        by_memalign(size);
        by_valloc(size);
        by_pvalloc(size);
        by_strdup(text, size);
        by_strndup(text, size);
        by_asprintf(text);
        by_getline(input);
        target_pace(start, i + 1, options.objects, options.seconds);
    }
    fclose(input);
    free(text);
    printf("malloc_family: %ld blocks of %zu bytes forgotten by each function\n", options.objects, size);
    return 0;
}
