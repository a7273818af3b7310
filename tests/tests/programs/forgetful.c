/* forgetful: a program that keeps a buffer for each of its requests, a descriptor for each tenth, and a thread that ended for each
 * thirtieth, at three places.
 *
 *   forgetful OBJECTS SECONDS [wait | exit CODE]
 *
 * `wait`: when it has them all it says "kept", and for a line on its input gives everything back and says "freed"; another line
 * ends it. `exit`: it ends with this code.
 */
#include "../../targets/target.h"

#include <fcntl.h>
#include <pthread.h>

/* Disguised: whoever looks for pointers finds none, as if they were lost. */
static uintptr_t *buffers;
#define DISGUISE ((uintptr_t)0x5555555555555555u)
static int *descriptors;
static pthread_t *threads;

static TARGET_NOINLINE void keep_buffer(long request) {
    void *buffer = malloc(4096);
    target_touch(buffer, 4096, (int)(request & 0xff));
    buffers[request] = (uintptr_t)buffer ^ DISGUISE;
}

static TARGET_NOINLINE void keep_file(long request) {
    descriptors[request / 10] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    target_check(descriptors[request / 10] >= 0, "open", 3);
}

static void *end_at_once(void *unused) {
    return unused;
}

static TARGET_NOINLINE void keep_thread(long request) {
    int error = pthread_create(&threads[request / 30], NULL, end_at_once, NULL);
    target_check(error == 0, "pthread_create", 3);
}

static TARGET_NOINLINE void serve(long request) {
    target_traffic(request);
    keep_buffer(request);
    if (request % 10 == 0) {
        keep_file(request);
    }
    if (request % 30 == 0) {
        keep_thread(request);
    }
    target_traffic(request + 1);
}

static void give_back(long objects) {
    for (long request = 0; request < objects; request++) {
        free((void *)(buffers[request] ^ DISGUISE));
        if (request % 10 == 0) {
            close(descriptors[request / 10]);
        }
        if (request % 30 == 0) {
            pthread_join(threads[request / 30], NULL);
        }
    }
}

int main(int argc, char **argv) {
    char line[16];
    long objects = argc > 2 ? atol(argv[1]) : 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0;
    target_check(objects > 0, "forgetful OBJECTS SECONDS [wait | exit CODE]", 2);
    buffers = (uintptr_t *)calloc((size_t)objects, sizeof *buffers);
    descriptors = (int *)calloc((size_t)objects / 10 + 1, sizeof *descriptors);
    threads = (pthread_t *)calloc((size_t)objects / 30 + 1, sizeof *threads);
    double start = target_now();
    for (long request = 0; request < objects; request++) {
        serve(request);
        target_pace(start, request + 1, objects, seconds);
    }
    if (argc > 3 && strcmp(argv[3], "wait") == 0) {
        puts("kept");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) != NULL) {
            give_back(objects);
            puts("freed");
            fflush(stdout);
            target_check(fgets(line, sizeof line, stdin) != NULL, "no second line", 4);
        }
    }
    return argc > 4 ? atoi(argv[4]) : 0;
}
