/* job_queue: a producer takes in jobs, one worker thread works them off in order.
 *
 * The worker manages two jobs of three that come: the queue grows without end, though every job is freed once it is done. FIXED
 * gives the worker less to do per job, so that the queue stays short.
 */
#include "service.h"

#include <pthread.h>

#ifdef FIXED
#define WORK_S 0.0005
#else
#define WORK_S 0.0075
#endif

struct job {
    struct job *next;
    char body[1000];
};

static struct job *first, **last = &first;
static unsigned long waiting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void submit(void) {
    struct job *job = (struct job *)malloc(sizeof *job); /* LEAK submit */
    service_fill(job, sizeof *job);
    job->next = NULL;
    pthread_mutex_lock(&lock);
    *last = job;
    last = &job->next;
    waiting++;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static void *work(void *unused) {
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (first == NULL) {
            pthread_cond_wait(&more, &lock);
        }
        struct job *job = first;
        first = job->next;
        if (first == NULL) {
            last = &first;
        }
        waiting--;
        pthread_mutex_unlock(&lock);
        service_sleep(WORK_S);
        free(job);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t worker;
    service_start(argc, argv, 200);
    service_need(pthread_create(&worker, NULL, work, NULL) == 0, "thread");
    while (service_next()) {
        service_work();
        submit();
    }
    pthread_mutex_lock(&lock);
    unsigned long backlog = waiting;
    pthread_mutex_unlock(&lock);
    service_end(backlog > 30 ? backlog : 0, backlog > 30 ? 0 : backlog, 0);
}
