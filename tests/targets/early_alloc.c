/* early_alloc: allocates before main and before any library's constructor: in an ifunc resolver of the executable (while
 * it is still being relocated), in .preinit_array, in a library's constructor (early_library.c), in its own constructor.
 *
 * All these blocks are freed, or grown, or checked in main. A hook that needs its own constructor to have run fails here.
 *
 * expect: exit 0
 */
#include "target.h"

void *early_library_block(void);

static char *from_ifunc;
static char *from_preinit;
static char *from_constructor;

static int the_answer(void) { return 42; }

/* The resolver runs while the dynamic linker relocates the executable. */
static int (*resolve_answer(void))(void) {
    char *block = (char *)malloc(1000);
    if (block != NULL) {
        for (int i = 0; i < 1000; i++) {
            block[i] = 3;
        }
    }
    from_ifunc = block;
    return the_answer;
}
int answer(void) __attribute__((ifunc("resolve_answer")));

static void preinit(int argc, char **argv, char **environment) {
    (void)argc;
    (void)argv;
    (void)environment;
    for (long i = 0; i < 100; i++) {
        target_traffic(i);
    }
    from_preinit = (char *)target_touch(malloc(2000), 2000, 4);
    free(calloc(10, 10));
}
__attribute__((section(".preinit_array"), used)) static void (*preinit_entry)(int, char **, char **) = preinit;

__attribute__((constructor)) static void construct(void) {
    from_constructor = (char *)target_touch(malloc(3000), 3000, 5);
}

int main(void) {
    target_check(answer() == 42, "the ifunc was resolved wrongly", 10);
    target_check(from_ifunc != NULL && target_intact(from_ifunc, 1000, 3), "ifunc block", 11);
    target_check(target_intact(from_preinit, 2000, 4), "preinit block", 12);
    target_check(target_intact(from_constructor, 3000, 5), "constructor block", 13);
    char *library = (char *)early_library_block();
    target_check(target_intact(library, 4000, 6), "library block", 14);
    from_preinit = (char *)realloc(from_preinit, 20000);
    target_check(from_preinit != NULL && target_intact(from_preinit, 2000, 4), "realloc of the preinit block", 15);
    free(from_ifunc);
    free(from_preinit);
    free(from_constructor);
    free(library);
    printf("early_alloc: done\n");
    return 0;
}
