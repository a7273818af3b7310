/* segment_rotation: a log kept in mapped segments of 256 KiB. The eight last stay mapped for readers, older ones are unmapped.
 *
 * Healthy: as many mappings as there are places.
 */
#include "service.h"

#include <sys/mman.h>

#define SEGMENT (256 * 1024)
#define SEGMENTS 8

static unsigned char *segments[SEGMENTS];
static unsigned long position;

static unsigned char *map_segment(void) {
    void *mapped = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    service_need(mapped != MAP_FAILED, "mapping");
    return (unsigned char *)mapped;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 200);
    size_t used = SEGMENT;
    while (service_next()) {
        size_t record = 4000 + service_below(12000);
        if (used + record > SEGMENT) {
            unsigned long at = position++ % SEGMENTS;
            if (segments[at] != NULL) {
                munmap(segments[at], SEGMENT);
            }
            segments[at] = map_segment();
            used = 0;
        }
        memset(segments[(position - 1) % SEGMENTS] + used, 'r', record);
        used += record;
        service_work();
    }
    service_end(0, position < SEGMENTS ? position : SEGMENTS, 0);
}
