/* double_buffer: a telemetry collector with two buffers of lists: one is filled while the other is sent and then dropped.
 *
 * Healthy: every two seconds they change places.
 */
#include "service.h"

struct point {
    struct point *next;
    char label[9 * 1024];
};

static struct point *front, *back;
static unsigned long in_front, in_back;

static void add_point(void) {
    struct point *point = (struct point *)malloc(sizeof *point);
    service_fill(point, sizeof *point);
    point->next = front;
    front = point;
    in_front++;
}

static void drop_back(void) {
    while (back != NULL) {
        struct point *gone = back;
        back = gone->next;
        free(gone);
    }
    in_back = 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    double swapped = service_now();
    while (service_next()) {
        add_point();
        service_work();
        if (service_now() - swapped > 2.0) {
            drop_back();
            back = front;
            in_back = in_front;
            front = NULL;
            in_front = 0;
            swapped = service_now();
        }
    }
    service_end(0, in_front + in_back, 0);
}
