/* one_of_four: a pre-forking server. Four workers do the same work; the second serves an old protocol for some clients.
 *
 * Only the old protocol's handler forgets the session it made, so one worker of four leaks; in the others the same function
 * frees what it allocates.
 */
#include "service.h"

#include <sys/wait.h>

#define WORKERS 4

struct session {
    int protocol;
    char cookie[500];
};

static struct session *open_session(int protocol) {
    struct session *session = (struct session *)malloc(sizeof *session); /* LEAK open_session */
    service_fill(session, sizeof *session);
    session->protocol = protocol;
    return session;
}

static int serve(int worker, int protocol) {
    struct session *session = open_session(protocol);
    service_work();
    if (session->protocol == 1) {
        return 1; /* the bug: the old protocol's end is not handled */
    }
    free(session);
    return worker < 0;
}

static unsigned long run_worker(int worker) {
    unsigned long lost = 0;
    service.random += 7919UL * (unsigned long)(worker + 1);
    while (service_next()) {
        int old = worker == 1 && service_uniform() < 0.3;
        lost += (unsigned long)serve(worker, old ? 1 : 2);
    }
    return lost;
}

int main(int argc, char **argv) {
    int pipes[2];
    service_start(argc, argv, 120);
    service_need(pipe(pipes) == 0, "pipe");
    for (int worker = 0; worker < WORKERS; worker++) {
        pid_t child = fork();
        service_need(child >= 0, "child");
        if (child == 0) {
            unsigned long counted[2] = {run_worker(worker), service.requests};
            _exit(write(pipes[1], counted, sizeof counted) == (ssize_t)sizeof counted ? 0 : 3);
        }
    }
    close(pipes[1]);
    unsigned long lost = 0, counted[2];
    while (read(pipes[0], counted, sizeof counted) == (ssize_t)sizeof counted) {
        lost += counted[0];
        service.requests += counted[1];
    }
    int status = 0, bad = 0;
    while (wait(&status) > 0) {
        bad |= status;
    }
    service_end(lost, 0, bad != 0);
}
