/* buffer_pool: a proxy whose buffers go back into a free list instead of to the allocator.
 *
 * Healthy: the pool grows to the most buffers ever needed at once. Transfers last a random time, and the load rises in the first
 * third of the run; every buffer is used again.
 */
#include "service.h"

#define TRANSFERS 400

struct buffer {
    struct buffer *next;
    char bytes[32 * 1024];
};

static struct buffer *idle;
static unsigned long made;
static struct transfer {
    struct buffer *buffer;
    double until;
} transfers[TRANSFERS];

static struct buffer *take_buffer(void) {
    struct buffer *buffer = idle;
    if (buffer != NULL) {
        idle = buffer->next;
        return buffer;
    }
    buffer = (struct buffer *)malloc(sizeof *buffer);
    service_fill(buffer, sizeof *buffer);
    made++;
    return buffer;
}

static void give_buffer(struct buffer *buffer) {
    buffer->next = idle;
    idle = buffer;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 40);
    while (service_next()) {
        double now = service_now(), progress = service_progress();
        service_rate(progress < 0.33 ? 40 + 360 * progress / 0.33 : 400);
        int taken = 0;
        for (int i = 0; i < TRANSFERS; i++) {
            struct transfer *transfer = &transfers[i];
            if (transfer->buffer != NULL && transfer->until <= now) {
                give_buffer(transfer->buffer);
                transfer->buffer = NULL;
            }
            if (transfer->buffer == NULL && !taken) {
                taken = 1;
                transfer->buffer = take_buffer();
                memset(transfer->buffer->bytes, i, sizeof transfer->buffer->bytes);
                transfer->until = now + 0.1 + service_exponential(0.3);
            }
        }
        service_work();
    }
    service_end(0, made, 0);
}
