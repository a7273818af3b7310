/* fork_storm: children by fork that allocate and exit, and by vfork that exec `true`, while another thread allocates.
 *
 * A fork child inherits every lock in the state it was in: if it waits for one, it hangs. --objects says how many
 * children of each sort. Each fork child exits with a status of its own, which is checked. Some children fork again.
 *
 * expect: exit 0
 */
#include "target.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static atomic_int stop;

static void *keep_allocating(void *unused) {
    for (long i = 0; !atomic_load(&stop); i++) {
        target_traffic(i);
        if (i % 100 == 0) {
            usleep(100);
        }
    }
    return unused;
}

static int status_of(pid_t child) {
    int status = 0;
    target_check(child > 0 && waitpid(child, &status, 0) == child, "fork or waitpid", 3);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void child_body(long number, char *inherited) {
    alarm(30); /* a hung child becomes a visible failure */
    free(inherited);
    for (long i = 0; i < 200; i++) {
        target_traffic(i);
    }
    char *kept = (char *)target_touch(malloc(100000), 100000, 1);
    target_check(kept[99999] == 1, "a block was damaged", 111);
    if (number % 10 == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            target_traffic(number);
            _exit(5);
        }
        target_check(status_of(grandchild) == 5, "a grandchild failed", 112);
    }
    if (number % 2 == 0) {
        _exit((int)(number % 100));
    }
    exit((int)(number % 100));
}

int main(int argc, char **argv) {
    struct target_options options = {100, 1000, 0, 1};
    target_parse(argc, argv, &options);
    pthread_t thread;
    target_check(pthread_create(&thread, NULL, keep_allocating, NULL) == 0, "pthread_create", 3);
    for (long i = 0; i < options.objects; i++) {
        char *inherited = (char *)target_touch(malloc((size_t)options.size), (size_t)options.size, 1);
        pid_t child = fork();
        if (child == 0) {
            child_body(i, inherited);
        }
        free(inherited);
        target_check(status_of(child) == i % 100, "a fork child failed", 11);
    }
    for (long i = 0; i < options.objects; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        target_check(status_of(child) == 0, "a vfork child failed", 12);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    printf("fork_storm: %ld children by fork, %ld by vfork\n", options.objects, options.objects);
    return 0;
}
