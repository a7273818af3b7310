/* quiet_peer: the other side of connections: quiet_peer PORT. For every byte on its standard input it connects to
 * 127.0.0.1:PORT, says one word, answers the byte on its standard output, and keeps the connection; it ends with its input.
 *
 * Linked statically, so that nobody watches it: in a watched program both sides would be the program's own.
 */
#include "target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    target_check(argc == 2, "usage: quiet_peer PORT", 2);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        target_check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect", 3);
        target_check(write(fd, "hello\n", 6) == 6 && write(STDOUT_FILENO, &byte, 1) == 1, "write", 3);
    }
    return 0;
}
