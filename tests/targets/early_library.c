/* early_library: the library of early_alloc; its constructor allocates.
 *
 * Built with -DEARLY_IFUNC it is the library of early_ifunc: an ifunc resolver of its own allocates as well, at a time
 * when a preloaded library, which comes before it in the search order, has not been relocated yet.
 */
#include "target.h"

void *early_library_block(void);
int early_library_ifunc_ran(void);

static char *block;

__attribute__((constructor)) static void construct(void) {
    for (long i = 0; i < 100; i++) {
        target_traffic(i);
    }
    block = (char *)target_touch(malloc(4000), 4000, 6);
}

void *early_library_block(void) { return block; }

#ifdef EARLY_IFUNC
static int yes(void) { return 1; }

static int (*resolve(void))(void) {
    char *scratch = (char *)malloc(500);
    if (scratch != NULL) {
        scratch[0] = 1;
    }
    free(scratch);
    return yes;
}
int early_library_ifunc(void) __attribute__((ifunc("resolve")));
int early_library_ifunc_ran(void) { return early_library_ifunc(); }
#endif
