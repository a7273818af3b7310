/* healthy_children: processes that are waited for, some late.
 *
 * per_request  one for each request, waited for at once
 * late_reap    they end at once and are waited for together, once a second
 * ignored      SIGCHLD is ignored: the kernel keeps nothing
 * long_lived   four live from the start to the end
 *
 * expect: silence
 * what: per_request late_reap ignored long_lived
 */
#include "variant.h"

#include <signal.h>
#include <sys/wait.h>

static pid_t workers[4];

static pid_t start(void) {
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    need(child > 0, "fork");
    return child;
}

static void per_request(long request) {
    int status;
    pid_t child = start();
    need(waitpid(child, &status, 0) == child && status == 0, "waitpid");
    variant_note((uint64_t)request);
}

static void reap(int options) {
    while (waitpid(-1, NULL, options) > 0) {
    }
}

static void late_reap(long request) {
    static double next = 0;
    start();
    if (target_now() >= next) {
        next = target_now() + 1;
        reap(WNOHANG);
    }
    variant_note((uint64_t)request);
}

static void end_late(void) {
    reap(0);
}

static void begin_ignoring(const struct target_options *options) {
    (void)options;
    signal(SIGCHLD, SIG_IGN);
}

static void ignored(long request) {
    start();
    variant_note((uint64_t)request);
}

static void begin_workers(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < 4; i++) {
        workers[i] = fork();
        if (workers[i] == 0) {
            pause();
            _exit(0);
        }
        need(workers[i] > 0, "fork");
    }
}

static void end_workers(void) {
    for (int i = 0; i < 4; i++) {
        need(kill(workers[i], SIGTERM) == 0 && waitpid(workers[i], NULL, 0) == workers[i], "waitpid");
    }
}

static const struct variant variants[] = {
    {"per_request", NULL, per_request, NULL},
    {"late_reap", NULL, late_reap, end_late},
    {"ignored", begin_ignoring, ignored, end_late},
    {"long_lived", begin_workers, per_request, end_workers},
};
VARIANT_MAIN("healthy_children", variants)
