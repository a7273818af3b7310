/* thread_pool: a pool that starts another worker while all are busy, up to twelve, in the first fifth of the run.
 *
 * Healthy: the workers live to the end, are joined, and serve jobs from a queue that stays short.
 */
#include "service.h"

#include <pthread.h>

#define WORKERS 12

struct job {
    struct job *next;
    char body[600];
};

static struct job *first;
static int workers, busy, over;
static pthread_t worker[WORKERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void *work(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!over) {
        struct job *job = first;
        if (job == NULL) {
            pthread_cond_wait(&more, &lock);
            continue;
        }
        first = job->next;
        busy++;
        pthread_mutex_unlock(&lock);
        service_sleep(0.02);
        free(job);
        pthread_mutex_lock(&lock);
        busy--;
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void submit(void) {
    struct job *job = (struct job *)malloc(sizeof *job);
    service_fill(job, sizeof *job);
    pthread_mutex_lock(&lock);
    job->next = first;
    first = job;
    if (busy == workers && workers < WORKERS && service_progress() > 0.015 * workers) {
        service_need(pthread_create(&worker[workers], NULL, work, NULL) == 0, "thread");
        workers++;
    }
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    service_start(argc, argv, 250);
    while (service_next()) {
        submit();
        service_work();
    }
    pthread_mutex_lock(&lock);
    over = 1;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < workers; i++) {
        pthread_join(worker[i], NULL);
    }
    service_end(0, (unsigned long)workers, 0);
}
