/* process_start: starts /bin/true again and again with fork and exec, one at a time. process_start COUNT */
#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long count = bench_count(argc, argv, 300);
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "process_start: a child failed\n");
            return 1;
        }
    }
    return 0;
}
