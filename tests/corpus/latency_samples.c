/* latency_samples: a proxy that records the latency of every request in one array, to print percentiles at its end.
 *
 * The array is grown by realloc() in steps of an eighth and never drained. One block, ever larger.
 */
#include "service.h"

struct sample {
    double at, latency;
    unsigned long route, bytes;
};

static struct sample *samples;
static size_t count, room;

static void record_sample(double latency) {
    if (count == room) {
        room = room + room / 8 + 64;
        samples = (struct sample *)realloc(samples, room * sizeof *samples); /* LEAK record_sample */
        service_need(samples != NULL, "memory");
    }
    samples[count++] = (struct sample){service_now(), latency, count % 16, 512};
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    while (service_next()) {
        double start = service_now();
        service_work();
        /* Spans of one request: connection, headers, database calls, rendering. */
        for (int span = 0; span < 150; span++) {
            record_sample((service_now() - start) / (1 + span));
        }
    }
    service_end(count, 0, 0);
}
