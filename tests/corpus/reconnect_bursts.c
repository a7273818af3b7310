/* reconnect_bursts: a message broker's client side. Now and then the network drops all its links at once.
 *
 * Each link that is re-established makes a new handshake state and overwrites the pointer to the old one without freeing it: a
 * burst of eight blocks about every third of a second, and nothing in between.
 */
#include "service.h"

#define LINKS 8

struct handshake {
    unsigned char keys[512];
    unsigned long epoch;
};

static struct handshake *link_state[LINKS];
static unsigned long lost;

static struct handshake *begin_handshake(unsigned long epoch) {
    struct handshake *state = (struct handshake *)malloc(sizeof *state); /* LEAK begin_handshake */
    service_fill(state, sizeof *state);
    state->epoch = epoch;
    return state;
}

static void reconnect_all(unsigned long epoch) {
    for (int link = 0; link < LINKS; link++) {
        lost += link_state[link] != NULL;
        link_state[link] = begin_handshake(epoch); /* the bug: the old one is not freed */
    }
}

int main(int argc, char **argv) {
    service_start(argc, argv, 200);
    unsigned long epoch = 0;
    reconnect_all(epoch);
    double storm = service_exponential(0.33);
    while (service_next()) {
        service_work();
        if (service_now() - service.start > storm) {
            reconnect_all(++epoch);
            storm += 0.1 + service_exponential(0.23);
        }
    }
    service_end(lost, LINKS, 0);
}
