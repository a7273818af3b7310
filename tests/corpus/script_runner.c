/* script_runner: a monitor that runs a small check as a child process per request and never waits for it: zombies.
 */
#include "service.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
static unsigned long lost;

static pid_t run_check(void) {
    char *words[] = {(char *)"/bin/true", NULL};
    pid_t child = 0;
    service_need(posix_spawn(&child, words[0], NULL, NULL, words, environ) == 0, "child"); /* LEAK run_check */
    lost++;
    return child;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 8);
    while (service_next()) {
        if (run_check() <= 0) {
            return 3;
        }
        service_work();
    }
    service_end(lost, 0, 0);
}
