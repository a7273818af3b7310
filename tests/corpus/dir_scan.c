/* dir_scan: a backup agent that looks into spool folders for a marker file.
 *
 * When the marker is found the scan returns without closedir().
 */
#include "service.h"

#include <dirent.h>

static unsigned long lost;

static int find_marker(const char *folder, const char *marker) {
    DIR *open_folder = opendir(folder); /* LEAK find_marker */
    service_need(open_folder != NULL, "folder");
    struct dirent *entry;
    while ((entry = readdir(open_folder)) != NULL) {
        if (strcmp(entry->d_name, marker) == 0) {
            lost++;
            return 1; /* the bug */
        }
    }
    closedir(open_folder);
    return 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 30);
    unsigned long found = 0;
    while (service_next()) {
        found += (unsigned long)find_marker("/etc", service_uniform() < 0.4 ? "passwd" : "no-such-marker");
        service_work();
    }
    service_end(lost, 0, found != lost);
}
