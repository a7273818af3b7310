/* static_server: a file server that answers "not modified" for one request in six.
 *
 * The file is opened before the date is compared, and the early return forgets to close it. All others are closed at once.
 */
#include "service.h"

#include <fcntl.h>
#include <sys/stat.h>

static unsigned long lost;

static int serve_file(const char *path, int has_copy) {
    char block[256];
    int file = open(path, O_RDONLY | O_CLOEXEC); /* LEAK serve_file */
    service_need(file >= 0, "file");
    if (has_copy) {
        lost++;
        return 304; /* the bug */
    }
    int status = read(file, block, sizeof block) >= 0 ? 200 : 500;
    close(file);
    return status;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 60);
    unsigned long answered = 0;
    while (service_next()) {
        answered += serve_file("/etc/passwd", service_uniform() < 0.17) != 500;
        service_work();
    }
    service_end(lost, 0, answered == 0);
}
