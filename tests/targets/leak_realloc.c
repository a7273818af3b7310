/* leak_realloc: an array that grows with realloc by one record of --size bytes at a time and is never emptied nor freed.
 *
 * There is one live block at any time and it is reachable: what grows is its size. That kind of growth is not judged yet,
 * but the bytes are booked where they were taken.
 *
 * expect: recorded append_record
 */
#include "target.h"

static char *records;
static size_t used;

static TARGET_NOINLINE void append_record(long request, size_t size) {
    char *grown = (char *)realloc(records, used + size); /* LEAK */
    target_check(grown != NULL, "realloc", 3);
    target_touch(grown + used, size, (int)(request & 0xff));
    records = grown;
    used += size;
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    for (long request = 0; request < options.objects; request++) {
        target_traffic(request);
        append_record(request, (size_t)options.size);
        target_pace(start, request + 1, options.objects, options.seconds);
    }
    printf("leak_realloc: %zu bytes in one array\n", used);
    return 0;
}
