/* bulk_loader: collects rows and writes them out when there are 300: a sawtooth.
 *
 * Healthy: rows pile up for three quarters of a second and are all freed at once, over and over.
 */
#include "service.h"

#define BATCH 300

static char *rows[BATCH];
static unsigned long collected, flushed;

static void add_row(void) {
    size_t size = 200 + service_below(600);
    rows[collected++] = (char *)service_fill(malloc(size), size);
}

static void flush_rows(void) {
    unsigned long sum = 0;
    while (collected > 0) {
        sum += (unsigned char)rows[--collected][0];
        free(rows[collected]);
    }
    flushed += sum > 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 400);
    while (service_next()) {
        add_row();
        if (collected == BATCH) {
            flush_rows();
        }
        service_work();
    }
    service_end(0, collected, 0);
}
