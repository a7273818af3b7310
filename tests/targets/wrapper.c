/* wrapper: everything is allocated through the program's own xmalloc and xstrdup, as in many C programs.
 *
 * Innermost in every stack stands the wrapper; the leak belongs to its caller. load_entry leaks through two levels of
 * wrapper (xstrdup calls xmalloc).
 *
 * expect: leak load_entry
 */
#include "target.h"

static TARGET_NOINLINE void *xmalloc(size_t size) {
    void *block = malloc(size);
    if (block == NULL) {
        fprintf(stderr, "wrapper: out of memory\n");
        exit(3);
    }
    return block;
}

static TARGET_NOINLINE char *xstrdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = (char *)xmalloc(size);
    memcpy(copy, text, size);
    return copy;
}

static TARGET_NOINLINE size_t load_entry(const char *text) {
    char *entry = xstrdup(text); /* LEAK */
    __asm__ volatile("" : "+r"(entry) : : "memory");
    return strlen(entry);
}

static TARGET_NOINLINE size_t check_entry(const char *text) {
    char *entry = xstrdup(text);
    __asm__ volatile("" : "+r"(entry) : : "memory");
    size_t length = strlen(entry);
    free(entry);
    return length;
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    char *text = (char *)xmalloc((size_t)options.size);
    memset(text, 'e', (size_t)options.size);
    text[options.size - 1] = '\0';
    double start = target_now();
    size_t loaded = 0;
    for (long entry = 0; entry < options.objects; entry++) {
        loaded += load_entry(text) + check_entry(text);
        target_pace(start, entry + 1, options.objects, options.seconds);
    }
    free(text);
    printf("wrapper: %ld entries, %zu characters\n", options.objects, loaded);
    return 0;
}
