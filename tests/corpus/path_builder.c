/* path_builder: an artifact store that names files with asprintf() and never frees the names.
 */
#include "service.h"

static unsigned long forgotten;

static char *artifact_path(unsigned long build, const char *name) {
    char *path = NULL;
    int length = asprintf(&path, "/srv/artifacts/%08lx/%s/object.bin", build, name); /* LEAK artifact_path */
    service_need(length > 0, "memory");
    forgotten++;
    return path;
}

static unsigned long lookup(unsigned long build) {
    static const char *names[] = {"core", "network", "storage"};
    const char *path = artifact_path(build, names[build % 3]);
    unsigned long hash = 5381;
    while (*path != '\0') {
        hash = hash * 33 + (unsigned char)*path++;
    }
    return hash;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 100);
    unsigned long sum = 0;
    while (service_next()) {
        sum ^= lookup(service_below(1 << 30));
        service_work();
    }
    fprintf(stderr, "%lx\n", sum);
    service_end(forgotten, 0, 0);
}
