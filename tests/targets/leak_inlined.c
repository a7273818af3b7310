/* leak_inlined: the leaking function is inlined into its caller, so no return address ever points into it by itself.
 *
 * The report names keep_header (marked as inlined) and, above it, handle_message.
 *
 * expect: leak keep_header
 */
#include "target.h"

static inline __attribute__((always_inline)) void keep_header(long message, size_t size) {
    char *header = (char *)malloc(size); /* LEAK */
    target_touch(header, size, (int)(message & 0xff));
}

static TARGET_NOINLINE void handle_message(long message, size_t size) {
    target_traffic(message);
    keep_header(message, size);
    target_traffic(message + 2);
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    for (long message = 0; message < options.objects; message++) {
        handle_message(message, (size_t)options.size);
        target_pace(start, message + 1, options.objects, options.seconds);
    }
    printf("leak_inlined: %ld headers forgotten\n", options.objects);
    return 0;
}
