/* healthy_threads: threads that are joined or detached, and as many as there should be.
 *
 * per_request   one for each request, joined at once
 * detached      one for each request, detached; it ends soon
 * born_detached the same by attribute
 * batches       eight are started together, end one after the other, and are joined together a sixth of the run later
 * bounded_pool  a pool that grows by one every third step, up to ten
 *
 * expect: silence
 * what: per_request detached born_detached batches bounded_pool
 */
#include "variant.h"

#include <pthread.h>
#include <semaphore.h>

#define BATCH 8
#define POOL 10

static pthread_attr_t small, detached_attr;
static pthread_t batch[BATCH], pool[POOL];
static int batched, pooled, running;
static sem_t work;

static void begin(const struct target_options *options) {
    (void)options;
    need(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 128 * 1024) == 0, "attributes");
    need(pthread_attr_init(&detached_attr) == 0, "attributes");
    need(pthread_attr_setdetachstate(&detached_attr, PTHREAD_CREATE_DETACHED) == 0, "attributes");
    need(sem_init(&work, 0, 0) == 0, "sem_init");
}

static void *answer(void *milliseconds) {
    target_traffic(1);
    target_sleep_until(target_now() + (double)(intptr_t)milliseconds / 1e3);
    __atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static pthread_t start(const pthread_attr_t *attributes, long milliseconds) {
    pthread_t thread;
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    need(pthread_create(&thread, attributes, answer, (void *)(intptr_t)milliseconds) == 0, "pthread_create");
    return thread;
}

static void per_request(long request) {
    need(pthread_join(start(&small, 1), NULL) == 0, "pthread_join");
    variant_note((uint64_t)request);
}

static void detached(long request) {
    need(pthread_detach(start(&small, 20)) == 0, "pthread_detach");
    variant_note((uint64_t)request);
}

static void born_detached(long request) {
    start(&detached_attr, 20);
    variant_note((uint64_t)request);
}

static void end_detached(void) {
    while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > 0) {
        target_sleep_until(target_now() + 0.001);
    }
}

static void join_batch(void) {
    for (; batched > 0; batched--) {
        need(pthread_join(batch[batched - 1], NULL) == 0, "pthread_join");
    }
}

static void batches(long request) {
    long every = variant_options.objects / 6 + 1;
    if (request % every == 0) {
        join_batch();
        for (; batched < BATCH; batched++) {
            batch[batched] = start(&small, 20 * batched);
        }
    }
    variant_note((uint64_t)request);
}

static void *serve(void *unused) {
    while (sem_wait(&work) == 0 && !__atomic_load_n(&running, __ATOMIC_SEQ_CST)) {
        target_traffic(2);
    }
    return unused;
}

static void bounded_pool(long request) {
    if (request % 3 == 0 && pooled < POOL) {
        need(pthread_create(&pool[pooled++], &small, serve, NULL) == 0, "pthread_create");
    }
    sem_post(&work);
    variant_note((uint64_t)request);
}

static void end_pool(void) {
    __atomic_store_n(&running, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < pooled; i++) {
        sem_post(&work);
    }
    for (int i = 0; i < pooled; i++) {
        need(pthread_join(pool[i], NULL) == 0, "pthread_join");
    }
}

static const struct variant variants[] = {
    {"per_request", begin, per_request, NULL},
    {"detached", begin, detached, end_detached},
    {"born_detached", begin, born_detached, end_detached},
    {"batches", begin, batches, join_batch},
    {"bounded_pool", begin, bounded_pool, end_pool},
};
VARIANT_MAIN("healthy_threads", variants)
