/* chat_server: accepts connections on the loopback; clients say a word and hang up.
 *
 * When read() says that the peer is gone the server marks the session as ended and does not close its socket, which stays in
 * CLOSE_WAIT. FIXED closes. The clients are a thread of the same program and close what they open.
 */
#include "service.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

static struct sockaddr_in address;
static unsigned long lost;

static void *be_clients(void *unused) {
    (void)unused;
    while (service_next()) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        service_need(client >= 0 && connect(client, (struct sockaddr *)&address, sizeof address) == 0, "connection");
        service_need(send(client, "hello", 5, MSG_NOSIGNAL) == 5, "answer");
        service_sleep(0.005);
        close(client);
    }
    return NULL;
}

static int accept_client(int listener) {
    return accept(listener, NULL, NULL); /* LEAK accept_client */
}

static void serve_client(int client) {
    char word[16];
    while (read(client, word, sizeof word) > 0) {
        service_fill(word, sizeof word);
    }
#ifdef FIXED
    close(client);
#else
    lost++; /* the bug */
#endif
}

int main(int argc, char **argv) {
    pthread_t clients;
    socklen_t length = sizeof address;
    service_start(argc, argv, 25);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    service_need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0, "listener");
    getsockname(listener, (struct sockaddr *)&address, &length);
    service_need(pthread_create(&clients, NULL, be_clients, NULL) == 0, "thread");
    struct pollfd ready = {listener, POLLIN, 0};
    while (service_running()) {
        if (poll(&ready, 1, 50) > 0) {
            serve_client(accept_client(listener));
        }
    }
    pthread_join(clients, NULL);
    close(listener);
    service_end(lost, 0, 0);
}
