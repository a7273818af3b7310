/* config_watcher: watches the folder of each tenant for changes, through one inotify instance.
 *
 * Tenants come and go; a tenant's folder is removed from the list when it goes, its watch is not. The folders are made in the
 * working directory and stay there: with them their watches would go.
 */
#include "service.h"

#include <sys/inotify.h>
#include <sys/stat.h>

static unsigned long lost;

static int watch_tenant(int instance, const char *folder) {
    return inotify_add_watch(instance, folder, IN_MODIFY | IN_CREATE); /* LEAK watch_tenant */
}

int main(int argc, char **argv) {
    char root[] = "config_watcher-XXXXXX", folder[64];
    service_start(argc, argv, 15);
    service_need(mkdtemp(root) != NULL, "folder");
    int instance = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    service_need(instance >= 0, "inotify instance");
    while (service_next()) {
        snprintf(folder, sizeof folder, "%s/%lu", root, service.requests);
        service_need(mkdir(folder, 0700) == 0, "folder");
        int watch = watch_tenant(instance, folder);
        service_need(watch >= 0, "watch");
        service_work();
        if (service.requests % 3 == 0) {
            inotify_rm_watch(instance, watch);
        } else {
            lost++; /* the bug: most ways out of here forget it */
        }
    }
    service_end(lost, 0, 0);
}
