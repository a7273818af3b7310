/* leak_unjoined: a service that starts a thread for each request.
 *
 * never_join   it ends at once, and nobody joins or detaches it: its stack stays
 * keep_thread  it is detached and waits for ever for something that does not come
 *
 * expect: leak never_join keep_thread
 * kind: never_join thread-not-joined
 * also: never_join heap-growth heap-unreachable
 * kind: keep_thread thread-growth
 * also: keep_thread heap-growth heap-unreachable
 */
#include "variant.h"

#include <pthread.h>

static pthread_attr_t small;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void begin(const struct target_options *options) {
    (void)options;
    need(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 128 * 1024) == 0, "attributes");
}

static void *answer(void *request) {
    target_traffic((long)(intptr_t)request);
    return NULL;
}

static void *wait_for_ever(void *unused) {
    pthread_mutex_lock(&lock);
    for (;;) {
        pthread_cond_wait(&never, &lock);
    }
    return unused;
}

static void start_and_join(long request) {
    pthread_t thread;
    need(pthread_create(&thread, &small, answer, (void *)(intptr_t)request) == 0, "pthread_create");
    need(pthread_join(thread, NULL) == 0, "pthread_join");
}

static TARGET_NOINLINE void never_join(long request) {
    pthread_t thread;
    int failed = pthread_create(&thread, &small, answer, (void *)(intptr_t)request); /* LEAK */
    need(failed == 0, "pthread_create");
    start_and_join(request);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_thread(long request) {
    pthread_t thread;
    int failed = pthread_create(&thread, &small, wait_for_ever, NULL); /* LEAK */
    need(failed == 0 && pthread_detach(thread) == 0, "pthread_create");
    start_and_join(request);
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"never_join", begin, never_join, NULL},
    {"keep_thread", begin, keep_thread, NULL},
};
VARIANT_MAIN("leak_unjoined", variants)
