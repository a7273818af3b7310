/* leak_children: a service that starts a process for each request and never asks how it ended.
 *
 * expect: leak forget_child forget_spawned
 * kind: forget_child zombie-not-reaped
 * kind: forget_spawned zombie-not-reaped
 */
#include "variant.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static TARGET_NOINLINE void forget_child(long request) {
    pid_t child = fork(); /* LEAK */
    if (child == 0) {
        _exit(0);
    }
    need(child > 0, "fork");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_spawned(long request) {
    char *arguments[] = {(char *)"true", NULL};
    pid_t child;
    int failed = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ); /* LEAK */
    need(failed == 0, "posix_spawn");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"forget_child", NULL, forget_child, NULL},
    {"forget_spawned", NULL, forget_spawned, NULL},
};
VARIANT_MAIN("leak_children", variants)
