/* leak_steady: a service that forgets one buffer per request; everything else it takes it gives back.
 *
 * expect: leak remember_request
 */
#include "target.h"

static TARGET_NOINLINE void remember_request(long request, size_t size) {
    char *copy = (char *)malloc(size); /* LEAK */
    target_touch(copy, size, (int)(request & 0xff));
}

static TARGET_NOINLINE void handle_request(long request, size_t size) {
    target_traffic(request);
    remember_request(request, size);
    target_traffic(request + 1);
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    for (long request = 0; request < options.objects; request++) {
        handle_request(request, (size_t)options.size);
        target_pace(start, request + 1, options.objects, options.seconds);
    }
    printf("leak_steady: %ld requests of %ld bytes forgotten\n", options.objects, options.size);
    return 0;
}
