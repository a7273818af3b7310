/* measure: runs a command and says what it and everything it started cost. measure RESULT [NAME=VALUE...] -- COMMAND...
 *
 * Assignments are put into the command's environment only. Being small itself, it does not inflate the peak memory of
 * what it starts, as a large parent would. Processes that the command leaves behind (a collector, for instance) become
 * its children, are waited for during at most five seconds, and count as CPU time, not as wall time.
 *
 * RESULT receives one line: exit status (128+n for signal n), wall ns, CPU us of the command and the descendants it
 * waited for, CPU us of what it left behind, peak KiB of the largest process, processes left behind and still running.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long cpu_us(const struct rusage *usage) {
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000LL + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

int main(int argc, char **argv) {
    int at = 2;
    while (at < argc && strcmp(argv[at], "--") != 0) {
        at++;
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: measure RESULT [NAME=VALUE...] -- COMMAND...\n");
        return 125;
    }
    FILE *result = fopen(argv[1], "we");
    if (result == NULL) {
        perror(argv[1]);
        return 125;
    }
    for (int i = 2; i < at; i++) {
        putenv(argv[i]);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    long long start = now_ns();
    pid_t child = vfork();
    if (child == 0) {
        execvp(argv[at + 1], argv + at + 1);
        perror(argv[at + 1]);
        _exit(127);
    }
    int status = 0;
    struct rusage usage, left;
    memset(&usage, 0, sizeof usage);
    long long left_us = 0;
    long left_peak = 0;
    pid_t ended;
    while ((ended = wait4(-1, &status, 0, &usage)) != child && ended > 0) {
        left_us += cpu_us(&usage);
        left_peak = usage.ru_maxrss > left_peak ? usage.ru_maxrss : left_peak;
    }
    long long wall = now_ns() - start;
    int ignored = 0;
    int waiting = 1;
    for (int i = 0; waiting && i < 5000; i++) {
        memset(&left, 0, sizeof left);
        ended = wait4(-1, &ignored, WNOHANG, &left);
        if (ended > 0) {
            left_us += cpu_us(&left);
            left_peak = left.ru_maxrss > left_peak ? left.ru_maxrss : left_peak;
        } else if (ended == 0) {
            usleep(1000);
        } else {
            waiting = 0;
        }
    }
    fprintf(result, "%d %lld %lld %lld %ld %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall,
            cpu_us(&usage), left_us, usage.ru_maxrss > left_peak ? usage.ru_maxrss : left_peak, waiting);
    return fclose(result) == 0 ? 0 : 125;
}
