/* template_loader: reads a page template for each request; one with a bad header is refused, and its stream stays open.
 */
#include "service.h"

static unsigned long lost;

static int load_template(const char *path) {
    char header[64];
    FILE *file = fopen(path, "r"); /* LEAK load_template */
    service_need(file != NULL, "template");
    if (fgets(header, sizeof header, file) == NULL || strncmp(header, "root:", 5) != 0) {
        lost++;
        return -1; /* the bug */
    }
    fclose(file);
    return 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 40);
    unsigned long refused = 0;
    while (service_next()) {
        refused += load_template(service_uniform() < 0.25 ? "/proc/self/status" : "/etc/passwd") != 0;
        service_work();
    }
    service_end(lost, 0, refused != lost);
}
