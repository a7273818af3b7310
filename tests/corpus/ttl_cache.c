/* ttl_cache: a session cache in which entries live for a fixed time and are then swept out, oldest first.
 *
 * Healthy: it fills for the length of one time-out, a quarter of the run, and stays as large as the load makes it.
 */
#include "service.h"

struct entry {
    struct entry *next;
    double expires;
    char data[16 * 1024];
};

static struct entry *oldest, **newest = &oldest;
static unsigned long living;

static void put(double expires) {
    struct entry *entry = (struct entry *)malloc(sizeof *entry);
    service_fill(entry, sizeof *entry);
    entry->expires = expires;
    entry->next = NULL;
    *newest = entry;
    newest = &entry->next;
    living++;
}

static void sweep(double now) {
    while (oldest != NULL && oldest->expires <= now) {
        struct entry *gone = oldest;
        oldest = gone->next;
        if (oldest == NULL) {
            newest = &oldest;
        }
        free(gone);
        living--;
    }
}

int main(int argc, char **argv) {
    service_start(argc, argv, 250);
    double time_out = service.seconds / 4;
    while (service_next()) {
        double now = service_now();
        put(now + time_out);
        sweep(now);
        service_work();
    }
    service_end(0, living, 0);
}
