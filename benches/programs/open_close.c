/* open_close: open and close of /dev/null. open_close PAIRS */
#include "bench.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long pairs = bench_count(argc, argv, 300000);
    for (long i = 0; i < pairs; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            perror("open_close: /dev/null");
            return 1;
        }
        close(fd);
    }
    return 0;
}
