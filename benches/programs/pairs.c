/* pairs: a resource is made and given back at once, again and again. pairs PAIRS WHAT
 *
 * open     open and close of /dev/null          pipe     pipe and two closes
 * file     the same of a regular file           timerfd  timerfd_create and close
 * socket   socket and close                     thread   pthread_create and pthread_join
 * accept   connect, accept, two closes          map      mmap and munmap of four pages
 */
#include "objects.h"

int main(int argc, char **argv) {
    long pairs = bench_count(argc, argv, 100000);
    const struct kind *kind = argc > 2 ? kind_of(argv[2]) : NULL;
    if (!kind) {
        fprintf(stderr, "usage: pairs PAIRS " KINDS "\n");
        return 2;
    }
    if (kind->before) {
        kind->before();
    }
    for (long i = 0; i < pairs; i++) {
        kind->pair(&bound_makers);
    }
    return 0;
}
