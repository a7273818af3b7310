/* leak_error_path: one request in a hundred fails, and the failing path returns without freeing the parsed request.
 *
 * The same line allocates for every request and 99 % of its blocks are freed: only the survivors tell.
 * --objects counts the forgotten ones, so there are a hundred times as many requests.
 *
 * expect: leak parse_request
 */
#include "target.h"

static TARGET_NOINLINE char *parse_request(long request, size_t size) {
    char *parsed = (char *)malloc(size); /* LEAK */
    return (char *)target_touch(parsed, size, (int)(request & 0xff));
}

static TARGET_NOINLINE int serve(long request, size_t size) {
    char *parsed = parse_request(request, size);
    if (request % 100 == 99) {
        return -1; /* the bug: parsed is not freed */
    }
    target_traffic(request);
    free(parsed);
    return 0;
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    long requests = options.objects * 100;
    long failed = 0;
    for (long request = 0; request < requests; request++) {
        failed += serve(request, (size_t)options.size) != 0;
        target_pace(start, request + 1, requests, options.seconds);
    }
    printf("leak_error_path: %ld of %ld requests failed and were forgotten\n", failed, requests);
    return 0;
}
