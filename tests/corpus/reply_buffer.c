/* reply_buffer: a server that builds every reply in one buffer, grown by realloc() when a reply is larger than any before, and cut
 * back to 4 KiB when it has been too large for long.
 *
 * Healthy: a block that is enlarged again and again and shrinks again and again.
 */
#include "service.h"

static char *buffer;
static size_t room, used;

static void append(const char *text, size_t length) {
    while (used + length > room) {
        room = room == 0 ? 4096 : room + room / 2;
        buffer = (char *)realloc(buffer, room);
        service_need(buffer != NULL, "memory");
    }
    memcpy(buffer + used, text, length);
    used += length;
}

static void trim(void) {
    room = 4096;
    buffer = (char *)realloc(buffer, room);
    service_need(buffer != NULL, "memory");
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    char line[100];
    unsigned long sent = 0, small = 0;
    memset(line, 'x', sizeof line);
    while (service_next()) {
        size_t lines = 5 + (size_t)service_exponential(service_uniform() < 0.02 ? 3000 : 30);
        for (used = 0; lines > 0; lines--) {
            append(line, sizeof line);
        }
        sent += used;
        small = used < 4096 ? small + 1 : 0;
        if (small > 20 && room > 64 * 1024) {
            trim();
        }
        service_work();
    }
    service_end(0, room, sent == 0);
}
