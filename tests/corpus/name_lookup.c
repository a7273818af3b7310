/* name_lookup: a proxy that resolves each request's upstream and forgets the list of addresses.
 *
 * getaddrinfo() wants a freeaddrinfo(). The addresses are numeric, so that no resolver is asked.
 */
#include "service.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static unsigned long forgotten;

static unsigned short resolve_upstream(unsigned long number) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[32], port[16];
    snprintf(host, sizeof host, "127.0.0.%lu", 1 + number % 200);
    snprintf(port, sizeof port, "%lu", 1024 + number % 5000);
    if (getaddrinfo(host, port, &hints, &found) != 0) { /* LEAK resolve_upstream */
        return 0;
    }
    forgotten++;
    return ((struct sockaddr_in *)(void *)found->ai_addr)->sin_port;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 80);
    unsigned long sum = 0;
    while (service_next()) {
        sum += resolve_upstream(service_below(1000000));
        service_work();
    }
    fprintf(stderr, "%lu\n", sum);
    service_end(forgotten, 0, 0);
}
