/* replication_log: a store that keeps the last writes for its replica until they are acknowledged.
 *
 * In the middle of the run the replica changes its protocol and acknowledges by a number that is off by one epoch: from then on
 * no write is ever acknowledged, and its record stays for ever. Before, records live for a tenth of a second.
 */
#include "service.h"

#define WINDOW 40

struct record {
    struct record *next;
    unsigned long number;
    char value[300];
};

static struct record *first, **last = &first;
static unsigned long length;

static void log_write(unsigned long number) {
    struct record *record = (struct record *)malloc(sizeof *record); /* LEAK log_write */
    service_fill(record, sizeof *record);
    record->number = number;
    record->next = NULL;
    *last = record;
    last = &record->next;
    length++;
}

static void acknowledge(unsigned long number) {
    while (first != NULL && first->number <= number) {
        struct record *done = first;
        first = done->next;
        if (first == NULL) {
            last = &first;
        }
        free(done);
        length--;
    }
}

int main(int argc, char **argv) {
    service_start(argc, argv, 250);
    while (service_next()) {
        service_work();
        log_write(service.requests);
        if (service.requests > WINDOW && service_progress() < 0.5) {
            acknowledge(service.requests - WINDOW);
        }
    }
    service_end(length, 0, 0);
}
