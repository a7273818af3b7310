/* close_all_fds: closes every descriptor at its start, as daemons do, and then allocates heavily for --seconds.
 *
 * Closed once by close_range(3), once by a loop over 0..1023. Afterwards every number must be free again and stay so:
 * a watcher that keeps or reopens a descriptor in the program would take one away. It has no way to print, so the
 * status tells: 10 a number was not free, 11 memory was damaged, 12 a number was taken later.
 *
 * expect: exit 0
 */
#include "target.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

/* Opens ten descriptors, expects the numbers 0 to 9, and closes them again. */
static int lowest_are_free(void) {
    int good = 1;
    for (int expected = 0; expected < 10; expected++) {
        good &= open("/dev/null", O_RDWR) == expected;
    }
    for (int fd = 0; fd < 10; fd++) {
        close(fd);
    }
    return good;
}

int main(int argc, char **argv) {
    struct target_options options = {2000, 512, 1, 1};
    target_parse(argc, argv, &options);
    target_traffic(0);
    syscall(SYS_close_range, 0U, UINT_MAX, 0U);
    for (int fd = 0; fd < 1024; fd++) {
        close(fd);
    }
    if (!lowest_are_free()) {
        _exit(10);
    }
    char **blocks = (char **)calloc((size_t)options.objects + 1, sizeof *blocks);
    double end = target_now() + options.seconds;
    do {
        for (long i = 0; i < options.objects; i++) {
            blocks[i] = (char *)target_touch(malloc((size_t)options.size), (size_t)options.size, (int)(i & 0xff));
            target_traffic(i);
        }
        for (long i = 0; i < options.objects; i++) {
            if (!target_intact(blocks[i], (size_t)options.size, (int)(i & 0xff))) {
                _exit(11);
            }
            free(blocks[i]);
        }
    } while (target_now() < end);
    free(blocks);
    _exit(lowest_are_free() ? 0 : 12);
}
