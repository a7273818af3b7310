/* fifo_dedup: a message consumer that remembers the last 500 message ids to drop duplicates.
 *
 * Healthy: a window that is full after a fifth of the run; from then on each new id replaces the oldest.
 */
#include "service.h"

#define WINDOW 500

static char *window[WINDOW];
static unsigned long position, duplicates;

static void remember(const char *id) {
    char *copy = (char *)malloc(300);
    service_fill(copy, 300);
    strcpy(copy, id);
    free(window[position % WINDOW]);
    window[position++ % WINDOW] = copy;
}

static int is_known(const char *id) {
    for (int i = 0; i < WINDOW && window[i] != NULL; i++) {
        if (strcmp(window[i], id) == 0) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 400);
    while (service_next()) {
        char id[32];
        snprintf(id, sizeof id, "m-%lu", service.requests - service_below(2));
        if (is_known(id)) {
            duplicates++;
        } else {
            remember(id);
        }
        service_work();
    }
    fprintf(stderr, "%lu duplicates\n", duplicates);
    service_end(0, position < WINDOW ? position : WINDOW, 0);
}
