/* leak_sockets: a service that forgets sockets.
 *
 * keep_socket     never connected
 * keep_datagram   a question was sent from it and answered
 * keep_pair_end   of a socketpair, of which the other end was closed
 * keep_hung_up    accepted, asked, answered; then the peer closes: CLOSE_WAIT
 * keep_connected  the same on the side that connected
 * keep_idle       accepted, and the peer, which no one watches, says one word and then nothing for ever
 *
 * expect: leak keep_socket keep_datagram keep_pair_end keep_hung_up keep_connected keep_idle
 * kind: keep_socket socket-not-closed
 * kind: keep_datagram socket-not-closed|socket-idle
 * kind: keep_pair_end socket-not-closed
 * kind: keep_hung_up socket-close-wait
 * kind: keep_connected socket-close-wait
 * kind: keep_idle socket-idle|socket-not-closed
 */
#include "loopback.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int to_peer = -1, from_peer = -1;
static pid_t peer;

static TARGET_NOINLINE void keep_socket(long request) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* LEAK */
    use_descriptor(fd, "socket");
    variant_note((uint64_t)request);
}

static void begin_datagrams(const struct target_options *options) {
    (void)options;
    socklen_t length = sizeof loopback_address;
    loopback_address.sin_family = AF_INET;
    loopback_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loopback_listener = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(bind(loopback_listener, (struct sockaddr *)&loopback_address, length) == 0, "bind");
    need(getsockname(loopback_listener, (struct sockaddr *)&loopback_address, &length) == 0, "getsockname");
}

static TARGET_NOINLINE void keep_datagram(long request) {
    char word[8];
    struct sockaddr_in sender;
    socklen_t length = sizeof sender;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* LEAK */
    use_descriptor(fd, "socket");
    need(connect(fd, (struct sockaddr *)&loopback_address, sizeof loopback_address) == 0, "connect");
    need(send(fd, "ask", 3, 0) == 3, "send");
    need(recvfrom(loopback_listener, word, sizeof word, 0, (struct sockaddr *)&sender, &length) == 3, "recvfrom");
    need(sendto(loopback_listener, "told", 4, 0, (struct sockaddr *)&sender, length) == 4, "sendto");
    need(recv(fd, word, sizeof word, 0) == 4, "recv");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_pair_end(long request) {
    int ends[2];
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); /* LEAK */
    need(made == 0, "socketpair");
    use_descriptor(ends[0], "socketpair");
    close(ends[1]);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_hung_up(long request) {
    int client = loopback_connect();
    int fd = accept4(loopback_listener, NULL, NULL, SOCK_CLOEXEC); /* LEAK */
    use_descriptor(fd, "accept4");
    loopback_say(client, fd);
    loopback_say(fd, client);
    close(client);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_connected(long request) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* LEAK */
    use_descriptor(fd, "socket");
    need(connect(fd, (struct sockaddr *)&loopback_address, sizeof loopback_address) == 0, "connect");
    int served = accept4(loopback_listener, NULL, NULL, SOCK_CLOEXEC);
    loopback_say(fd, served);
    loopback_say(served, fd);
    close(served);
    variant_note((uint64_t)request);
}

static void begin_peer(const struct target_options *options) {
    loopback_begin(options);
    int in[2], out[2];
    need(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe2");
    char port[16], path[PATH_MAX];
    snprintf(port, sizeof port, "%d", ntohs(loopback_address.sin_port));
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    need(length > 0, "readlink");
    path[length] = '\0';
    strcpy(strrchr(path, '/'), "/quiet_peer");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    char *arguments[] = {path, port, NULL};
    need(posix_spawn(&peer, path, &actions, NULL, arguments, environ) == 0, "quiet_peer does not start");
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_peer = in[1];
    from_peer = out[0];
}

static TARGET_NOINLINE void keep_idle(long request) {
    char word[6];
    need(write(to_peer, "c", 1) == 1 && read(from_peer, word, 1) == 1, "the peer does not answer");
    int fd = accept4(loopback_listener, NULL, NULL, SOCK_CLOEXEC); /* LEAK */
    use_descriptor(fd, "accept4");
    need(recv(fd, word, 6, MSG_WAITALL) == 6, "recv");
    variant_note((uint64_t)request);
}

static void end_peer(void) {
    close(to_peer);
    close(from_peer);
    int status = -1;
    need(waitpid(peer, &status, 0) == peer && status == 0, "quiet_peer failed");
}

static const struct variant variants[] = {
    {"keep_socket", NULL, keep_socket, NULL},
    {"keep_datagram", begin_datagrams, keep_datagram, NULL},
    {"keep_pair_end", NULL, keep_pair_end, NULL},
    {"keep_hung_up", loopback_begin, keep_hung_up, NULL},
    {"keep_connected", loopback_begin, keep_connected, NULL},
    {"keep_idle", begin_peer, keep_idle, end_peer},
};
VARIANT_MAIN("leak_sockets", variants)
