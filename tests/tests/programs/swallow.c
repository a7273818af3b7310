/* swallow: takes memory, 20 KB every 5 ms, and never gives any back, until something stops it (or two minutes are over).
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((noinline)) static void *swallow(size_t bytes) {
    char *block = malloc(bytes);
    memset(block, 1, bytes);
    return block;
}

int main(void) {
    for (int round = 0; round < 24000; round++) {
        void *volatile kept = swallow(20000);
        (void)kept;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return 0;
}
