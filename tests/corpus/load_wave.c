/* load_wave: sessions of a game server under a load that comes and goes: two waves in the run.
 *
 * Healthy: sessions last a random time; their number follows the load up and down.
 */
#include "service.h"

#define SEATS 2000

static struct seat {
    char *state;
    double until;
} seats[SEATS];
static unsigned long playing;

static void join_game(struct seat *seat, double until) {
    seat->state = (char *)service_fill(malloc(20 * 1024), 20 * 1024);
    seat->until = until;
    playing++;
}

static void leave_game(struct seat *seat) {
    free(seat->state);
    seat->state = NULL;
    playing--;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 200);
    while (service_next()) {
        double now = service_now();
        service_rate(220 - 180 * cos(4 * 3.14159265 * service_progress()));
        int joined = 0;
        for (int i = 0; i < SEATS; i++) {
            if (seats[i].state != NULL && seats[i].until <= now) {
                leave_game(&seats[i]);
            } else if (seats[i].state == NULL && !joined) {
                joined = 1;
                join_game(&seats[i], now + service_exponential(service.seconds / 20));
            }
        }
        service_work();
    }
    service_end(0, playing, 0);
}
