/* thread_storm: --objects threads with small stacks, never more than 64 at once, which end in every way there is.
 *
 * By turns: joined; detached by attribute; detached by the creator; detaching themselves; ended by pthread_exit; cancelled;
 * joined by pthread_timedjoin_np; tried first by pthread_tryjoin_np; made by thrd_create; joined by another thread than
 * their creator. 10: a call failed; 11: a thread gave another value; 12: a misuse was not refused.
 *
 * expect: exit 0
 */
#include "target.h"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

#define AT_ONCE 64
#define WAYS 10

static pthread_attr_t small, small_detached;
static sem_t room, hold_on;
static long finished;
static uint64_t sum;

static void leave(long number) {
    __atomic_fetch_add(&sum, (uint64_t)number * 2654435761U, __ATOMIC_RELAXED);
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
    sem_post(&room);
}

static void *plain(void *number) {
    target_traffic((long)(intptr_t)number);
    leave((long)(intptr_t)number);
    return number;
}

static void *detaches_itself(void *number) {
    target_check(pthread_detach(pthread_self()) == 0, "pthread_detach", 10);
    return plain(number);
}

static void *leaves_early(void *number) {
    leave((long)(intptr_t)number);
    pthread_exit(number);
}

static void *waits_to_be_cancelled(void *number) {
    leave((long)(intptr_t)number);
    while (sem_wait(&hold_on) == 0) {
    }
    return NULL;
}

static int c11(void *number) {
    plain(number);
    return (int)(intptr_t)number;
}

static void *joins(void *other) {
    void *result;
    target_check(pthread_join(*(pthread_t *)other, &result) == 0, "pthread_join", 10);
    return result;
}

static pthread_t start(const pthread_attr_t *attributes, void *(*body)(void *), long number) {
    pthread_t thread;
    target_check(pthread_create(&thread, attributes, body, (void *)(intptr_t)number) == 0, "pthread_create", 10);
    return thread;
}

static void join(pthread_t thread, void *wanted) {
    void *result;
    target_check(pthread_join(thread, &result) == 0, "pthread_join", 10);
    target_check(result == wanted, "another value", 11);
}

static void one(long number) {
    void *value = (void *)(intptr_t)number, *result;
    pthread_t thread, other;
    struct timespec until;
    thrd_t c11_thread;
    int c11_result;
    sem_wait(&room);
    switch (number % WAYS) {
    case 0:
        join(start(&small, plain, number), value);
        break;
    case 1:
        start(&small_detached, plain, number);
        break;
    case 2:
        target_check(pthread_detach(start(&small, plain, number)) == 0, "pthread_detach", 10);
        break;
    case 3:
        start(&small, detaches_itself, number);
        break;
    case 4:
        join(start(&small, leaves_early, number), value);
        break;
    case 5:
        thread = start(&small, waits_to_be_cancelled, number);
        target_check(pthread_cancel(thread) == 0, "pthread_cancel", 10);
        target_check(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED, "not cancelled", 11);
        /* It may have been cancelled before it could make room. */
        break;
    case 6:
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        thread = start(&small, plain, number);
        target_check(pthread_timedjoin_np(thread, &result, &until) == 0 && result == value, "timedjoin", 11);
        break;
    case 7:
        thread = start(&small, plain, number);
        while (pthread_tryjoin_np(thread, &result) != 0) {
            sched_yield();
        }
        target_check(result == value, "tryjoin", 11);
        break;
    case 8:
        target_check(thrd_create(&c11_thread, c11, value) == thrd_success, "thrd_create", 10);
        target_check(thrd_join(c11_thread, &c11_result) == thrd_success && c11_result == number, "thrd_join", 11);
        break;
    default:
        thread = start(&small, plain, number);
        other = start(&small, joins, (long)(intptr_t)&thread);
        join(other, value);
        break;
    }
}

static void misuse(void) {
    pthread_t thread = start(&small_detached, plain, 0);
    (void)thread;
    target_check(pthread_join(pthread_self(), NULL) == EDEADLK, "a thread may not join itself", 12);
    pthread_attr_t bad;
    pthread_attr_init(&bad);
    target_check(pthread_attr_setstacksize(&bad, 1) == EINVAL, "a stack of one byte", 12);
    pthread_attr_destroy(&bad);
}

int main(int argc, char **argv) {
    struct target_options options = {5000, 1, 0, 1};
    target_parse(argc, argv, &options);
    size_t stack = (size_t)PTHREAD_STACK_MIN + 48 * 1024;
    sem_init(&room, 0, AT_ONCE);
    sem_init(&hold_on, 0, 0);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, stack);
    pthread_attr_init(&small_detached);
    pthread_attr_setstacksize(&small_detached, stack);
    pthread_attr_setdetachstate(&small_detached, PTHREAD_CREATE_DETACHED);
    misuse();
    for (long number = 0; number < options.objects; number++) {
        one(number);
    }
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < options.objects + 1) {
        sched_yield();
    }
    printf("thread_storm: %ld threads, sum %llu\n", finished, (unsigned long long)sum);
    return 0;
}
