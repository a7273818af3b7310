/* connections: a client that opens a connection for each request. connections PORT REQUESTS; 127.0.0.1 alone. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static const char request[] = "GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET};
    long requests = argc > 2 ? atol(argv[2]) : 0;
    char answer[16384];
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (long i = 0; i < requests; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ssize_t bytes = 0, all = 0;
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
            perror("connections");
            return 1;
        }
        while ((bytes = read(fd, answer, sizeof answer)) > 0) {
            all += bytes;
        }
        close(fd);
        if (all < 100) {
            fprintf(stderr, "connections: a short answer\n");
            return 1;
        }
    }
    return 0;
}
