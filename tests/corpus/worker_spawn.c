/* worker_spawn: starts a thread for each image that is to be scaled, and never joins it.
 *
 * The threads end after some milliseconds; what is left of each, its stack and its record, waits for a pthread_join().
 */
#include "service.h"

#include <pthread.h>

static unsigned long lost;

static void *scale_image(void *image) {
    service_sleep(0.01);
    free(image);
    return NULL;
}

static void spawn_worker(void *image) {
    pthread_t worker;
    service_need(pthread_create(&worker, NULL, scale_image, image) == 0, "thread"); /* LEAK spawn_worker */
    lost++;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 12);
    while (service_next()) {
        spawn_worker(service_fill(malloc(20000), 20000));
        service_work();
    }
    service_sleep(0.05);
    service_end(lost, 0, 0);
}
