/* growing_documents: a store of documents whose sizes grow from release to release, which fragments glibc's heap.
 *
 * The store holds 24 MiB of documents, never more. In each of six phases half of what is there, chosen by lot, is replaced by
 * documents nearly three times as large. What is freed leaves gaps between neighbours that live on, too small for the new ones:
 * live bytes stay level and resident memory climbs. Nothing is forgotten.
 */
#include "service.h"

#define LIVE_BYTES (24UL << 20)
#define PHASES 6
#define DOCUMENTS_MAX 70000

static const size_t sizes[PHASES] = {400, 1100, 3000, 8200, 22000, 60000};
static struct document {
    char *text;
    size_t size;
} documents[DOCUMENTS_MAX];
static unsigned long count, doomed, live;

static void store_document(size_t size) {
    char *text = (char *)service_fill(malloc(size), size);
    documents[count++] = (struct document){text, size};
    live += size;
}

static void drop_document(unsigned long at) {
    live -= documents[at].size;
    free(documents[at].text);
    documents[at] = documents[--count];
}

/* The first half of the shuffled table is to be replaced. */
static void begin_phase(void) {
    for (unsigned long i = count - 1; i > 0; i--) {
        unsigned long other = service_below(i + 1);
        struct document swapped = documents[i];
        documents[i] = documents[other];
        documents[other] = swapped;
    }
    doomed = count / 2;
}

static unsigned long resident_pages(void) {
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    service_need(file != NULL && fscanf(file, "%*u %lu", &resident) == 1, "/proc/self/statm");
    fclose(file);
    return resident;
}

int main(int argc, char **argv) {
    int phase = 0;
    unsigned long begun = 0;
    service_start(argc, argv, 150);
    while (live < LIVE_BYTES) {
        store_document(sizes[0]);
    }
    while (service_next()) {
        service_work();
        double phases = service_progress() * PHASES;
        if (phase + 1 < PHASES && phases > phase + 1) {
            phase++;
            begin_phase();
            begun = doomed;
        }
        /* Evenly over the phase: what is left to replace is what is left of the phase. */
        while (doomed > 0 && (double)doomed > (double)begun * (phase + 1 - phases)) {
            doomed--;
            /* The last of the doomed goes; a document from the end, which stays, takes its place. */
            drop_document(doomed);
            while (live + sizes[phase] <= LIVE_BYTES) {
                store_document(sizes[phase]);
            }
        }
    }
    unsigned long resident = resident_pages();
    fprintf(stderr, "%lu KiB resident, %lu KiB live\n", resident * 4, live >> 10);
    service_end(resident * 4096 > 2 * live ? resident - live / 4096 : 0, count, 0);
}
