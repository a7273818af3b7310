/* loopback.h: sockets on 127.0.0.1, at ports that the kernel chooses. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "variant.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_in loopback_address;
static int loopback_listener = -1;

__attribute__((unused)) static int loopback_listen(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, (struct sockaddr *)address, sizeof *address) == 0, "bind");
    need(listen(fd, 128) == 0 && getsockname(fd, (struct sockaddr *)address, &length) == 0, "listen");
    return fd;
}

__attribute__((unused)) static void loopback_begin(const struct target_options *options) {
    (void)options;
    loopback_listener = loopback_listen(&loopback_address);
}

__attribute__((unused)) static TARGET_NOINLINE int loopback_connect(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && connect(fd, (struct sockaddr *)&loopback_address, sizeof loopback_address) == 0, "connect");
    return fd;
}

/* One word from one side to the other. */
__attribute__((unused)) static void loopback_say(int from, int to) {
    char word[6];
    need(write(from, "words\n", 6) == 6 && recv(to, word, 6, MSG_WAITALL) == 6, "a word is lost");
}

#endif
