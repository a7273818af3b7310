/* audit_trail: a payment service that appends every decision to an audit trail in memory.
 *
 * The trail was meant to be written out and dropped every minute; the call was lost in a refactoring. Nobody ever reads or
 * trims the list, so that it grows with the traffic from the first request on. Everything else is given back.
 */
#include "service.h"

struct entry {
    struct entry *older;
    unsigned long account;
    double amount;
    char note[12 * 1024];
};

static struct entry *trail;
static unsigned long trail_length;

static void append_entry(unsigned long account, double amount) {
    struct entry *entry = (struct entry *)malloc(sizeof *entry); /* LEAK append_entry */
    service_fill(entry, sizeof *entry);
    entry->account = account;
    entry->amount = amount;
    entry->older = trail;
    trail = entry;
    trail_length++;
}

static int authorize(unsigned long account, double amount) {
    char *form = (char *)service_fill(malloc(2048), 2048);
    int accepted = amount < 900.0 && account % 97 != 0;
    free(form);
    return accepted;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 120);
    while (service_next()) {
        unsigned long account = service_below(10000);
        double amount = service_exponential(200);
        service_work();
        if (authorize(account, amount)) {
            append_entry(account, amount);
        }
    }
    service_end(trail_length, 0, 0);
}
