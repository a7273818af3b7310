/* keepalive_server: connections that are kept open between requests and closed by the server when idle for two seconds.
 *
 * Healthy: at any time there are as many as came in the last two seconds; none is forgotten. Clients are the other ends of
 * socket pairs, kept beside them.
 */
#include "service.h"

#include <sys/socket.h>

#define PLACES 200
#define IDLE_S 2.0

static struct connection {
    int server, client;
    double last;
    char *buffer;
} connections[PLACES];
static unsigned long open_now;

static void open_connection(struct connection *connection, double now) {
    int ends[2];
    service_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "connection");
    *connection = (struct connection){ends[0], ends[1], now, (char *)service_fill(malloc(4096), 4096)};
    open_now++;
}

static void close_connection(struct connection *connection) {
    close(connection->server);
    close(connection->client);
    free(connection->buffer);
    connection->buffer = NULL;
    open_now--;
}

static void exchange(struct connection *connection, double now) {
    char word[8];
    service_need(write(connection->client, "GET /", 5) == 5 && read(connection->server, word, sizeof word) == 5, "word");
    connection->last = now;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 60);
    while (service_next()) {
        double now = service_now();
        int opened = service_uniform() < 0.7;
        for (int i = 0; i < PLACES; i++) {
            if (connections[i].buffer == NULL) {
                if (!opened) {
                    opened = 1;
                    open_connection(&connections[i], now);
                    exchange(&connections[i], now);
                }
            } else if (now - connections[i].last > IDLE_S) {
                close_connection(&connections[i]);
            } else if (service_uniform() < 0.005) {
                exchange(&connections[i], now);
            }
        }
        service_work();
    }
    service_end(0, open_now, 0);
}
