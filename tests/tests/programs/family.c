/* family: makes processes and says how they are related; what they forget is forgotten in `forget`.
 *   family workers N SECONDS [UID]   N children forget for so long, as this user; waits for all; "workers done"
 *   family daemon SECONDS            a grandchild in a session of its own forgets for so long; ends at once with 5
 *   family exec SECONDS WORDS...     forgets for so long, then becomes another program
 *   family fates                     children that exit with 7 and that die of SIGTERM, each after more than a second; "fates done"
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) static void *forget(size_t bytes) {
    char *block = malloc(bytes);
    memset(block, 1, bytes);
    return block;
}

static void work(double seconds, size_t bytes) {
    for (int round = 0; round < seconds * 100; round++) {
        void *volatile kept = forget(bytes);
        (void)kept;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

int main(int count, char **words) {
    if (count >= 4 && strcmp(words[1], "workers") == 0) {
        for (int number = 0; number < atoi(words[2]); number++) {
            if (fork() == 0) {
                if (count > 4 && setuid((uid_t)atoi(words[4])) != 0) {
                    _exit(9);
                }
                work(atof(words[3]), 4000);
                _exit(0);
            }
        }
        int status = 0;
        while (wait(&status) > 0) {
            if (status != 0) {
                printf("a worker ended with %d\n", status);
                return 1;
            }
        }
        printf("workers done\n");
        return 0;
    }
    if (count == 3 && strcmp(words[1], "daemon") == 0) {
        if (fork() == 0) {
            setsid();
            if (fork() == 0) {
                fclose(stdout);
                fclose(stderr);
                work(atof(words[2]), 4000);
            }
            _exit(0);
        }
        wait(NULL);
        return 5;
    }
    if (count >= 4 && strcmp(words[1], "exec") == 0) {
        work(atof(words[2]), 4000);
        execvp(words[3], words + 3);
        return 127;
    }
    if (count == 2 && strcmp(words[1], "fates") == 0) {
        pid_t exits = fork();
        if (exits == 0) {
            work(1.5, 120000);
            _exit(7);
        }
        pid_t dies = fork();
        if (dies == 0) {
            work(1.5, 120000);
            raise(SIGTERM);
        }
        waitpid(exits, NULL, 0);
        waitpid(dies, NULL, 0);
        printf("fates done\n");
        return 0;
    }
    return 2;
}
