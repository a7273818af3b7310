/* alone: a program that would notice a watcher. It forgets blocks for SECONDS (default 3) and looks all the time whether it
 * has a child that it did not make, a descriptor that it did not open, or another environment.
 *   alone [SECONDS [subreaper]]
 * Says "ready", then "alone", or what it has noticed, and exits with 3.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline)) static void *forget(size_t bytes) {
    char *block = malloc(bytes);
    memset(block, 1, bytes);
    return block;
}

static int descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static size_t environment(void) {
    size_t bytes = 0;
    for (char **variable = environ; *variable != NULL; variable++) {
        bytes += strlen(*variable) + 1;
    }
    return bytes;
}

int main(int count, char **words) {
    double seconds = count > 1 ? atof(words[1]) : 3;
    if (count > 2 && strcmp(words[2], "subreaper") == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
    int open_before = descriptors();
    size_t environment_before = environment();
    printf("ready\n");
    fflush(stdout);
    for (int round = 0; round < seconds * 100; round++) {
        void *volatile kept = forget(4000);
        (void)kept;
        int status;
        pid_t child = waitpid(-1, &status, WNOHANG);
        if (child != -1 || errno != ECHILD) {
            printf("there is a child: %d\n", (int)child);
            return 1;
        }
        if (descriptors() != open_before || environment() != environment_before) {
            printf("something has changed\n");
            return 1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    printf("alone\n");
    return 3;
}
