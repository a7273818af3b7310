/* exit_immediately: allocates a little and leaves by _exit: no atexit handler, no destructor runs.
 *
 * expect: exit 7
 */
#include "target.h"

int main(void) {
    for (long i = 0; i < 100; i++) {
        target_traffic(i);
    }
    _exit(7);
}
