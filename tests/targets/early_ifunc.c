/* early_ifunc: a library's ifunc resolver calls malloc while the libraries are still being relocated.
 *
 * The nastiest moment of all: a preloaded library stands first in the search order, hence gets the call, but is relocated
 * after the caller. Its hook runs with an unrelocated GOT. Any preload that defines malloc meets this.
 *
 * expect: exit 0
 */
#include "target.h"

void *early_library_block(void);
int early_library_ifunc_ran(void);

int main(void) {
    target_check(early_library_ifunc_ran() == 1, "the ifunc was resolved wrongly", 10);
    free(early_library_block());
    printf("early_ifunc: done\n");
    return 0;
}
