/* abort_now: allocates a little and aborts, without leaving a core file.
 *
 * expect: exit 134
 */
#include "target.h"

#include <sys/resource.h>

int main(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (long i = 0; i < 100; i++) {
        target_traffic(i);
    }
    abort();
}
