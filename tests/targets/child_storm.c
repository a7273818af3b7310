/* child_storm: --objects short-lived children, started and waited for in every way.
 *
 * By turns: wait; waitpid; waitpid(WNOHANG); waitid; waitid(WNOWAIT) and then waitpid; wait3; wait4; a grandchild that is
 * left behind; system; popen; posix_spawn; posix_spawnp; vfork; ended by a signal; fork in a fork. At last SIGCHLD is
 * ignored. 10: a child could not be started; 11: another end was told; 12: somebody else's child was there, or one is left.
 *
 * expect: exit 0
 */
#include "target.h"

#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WAYS 15

extern char **environ;

static pid_t start(int code) {
    pid_t child = fork();
    if (child == 0) {
        target_traffic(code);
        _exit(code);
    }
    target_check(child > 0, "fork", 10);
    return child;
}

/* The status by its place: arguments are evaluated in any order. */
static void told(pid_t child, pid_t said, const int *status, int code) {
    target_check(child == said, "another child", 12);
    target_check(WIFEXITED(*status) && WEXITSTATUS(*status) == code, "another status", 11);
}

static void inform(pid_t child, const siginfo_t *about, int code) {
    target_check(about->si_pid == child && about->si_code == CLD_EXITED && about->si_status == code, "waitid", 11);
}

static void by_spawn(int code, int search) {
    char word[32];
    snprintf(word, sizeof word, "exit %d", code);
    char *arguments[] = {(char *)"sh", (char *)"-c", word, NULL};
    pid_t child;
    int failed = search ? posix_spawnp(&child, "sh", NULL, NULL, arguments, environ)
                        : posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ);
    int status = -1;
    target_check(failed == 0, "posix_spawn", 10);
    told(child, waitpid(child, &status, 0), &status, code);
    target_check(posix_spawn(&child, "/absent", NULL, NULL, arguments, environ) == ENOENT, "an absent program", 11);
}

/* The child leaves a child behind, which nobody here can wait for. */
static void leave_behind(int code) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        _exit(grandchild == 0 ? 0 : grandchild > 0 ? code : 99);
    }
    told(child, waitpid(child, &status, 0), &status, code);
}

static void one(long number) {
    char word[32];
    struct rusage used;
    siginfo_t about = {0};
    int status = -1, code = (int)(number % 100);
    pid_t child, said;
    switch (number % WAYS) {
    case 0:
        child = start(code);
        told(child, wait(&status), &status, code);
        break;
    case 1:
        child = start(code);
        told(child, waitpid(-1, &status, 0), &status, code);
        break;
    case 2:
        child = start(code);
        while ((said = waitpid(child, &status, WNOHANG)) == 0) {
            target_sleep_until(target_now() + 0.001);
        }
        told(child, said, &status, code);
        break;
    case 3:
        child = start(code);
        target_check(waitid(P_PID, (id_t)child, &about, WEXITED) == 0, "waitid", 11);
        inform(child, &about, code);
        break;
    case 4:
        child = start(code);
        target_check(waitid(P_ALL, 0, &about, WEXITED | WNOWAIT) == 0, "waitid", 11);
        inform(child, &about, code);
        told(child, waitpid(child, &status, 0), &status, code); /* it is still there */
        break;
    case 5:
        child = start(code);
        told(child, wait3(&status, 0, &used), &status, code);
        break;
    case 6:
        child = start(code);
        told(child, wait4(child, &status, 0, &used), &status, code);
        break;
    case 7:
        leave_behind(code);
        break;
    case 8:
        snprintf(word, sizeof word, "exit %d", code);
        status = system(word);
        told(1, 1, &status, code);
        break;
    case 9:
        snprintf(word, sizeof word, "exit %d", code);
        FILE *stream = popen(word, "r");
        target_check(stream != NULL, "popen", 10);
        status = pclose(stream);
        told(1, 1, &status, code);
        break;
    case 10:
    case 11:
        by_spawn(code, number % WAYS == 11);
        break;
    case 12:
        child = vfork();
        if (child == 0) {
            _exit(code);
        }
        told(child, waitpid(child, &status, 0), &status, code);
        break;
    case 13:
        child = fork();
        if (child == 0) {
            pause();
            _exit(98);
        }
        kill(child, SIGKILL);
        target_check(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "a signal", 11);
        target_check(WTERMSIG(status) == SIGKILL, "another signal", 11);
        break;
    default:
        child = fork();
        if (child == 0) {
            pid_t grandchild = start(code);
            int below = -1;
            told(grandchild, waitpid(grandchild, &below, 0), &below, code);
            _exit(code);
        }
        told(child, waitpid(child, &status, 0), &status, code);
        break;
    }
    target_check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left", 12);
}

/* The kernel reaps them; a wait lasts until the last has gone and then finds none. */
static void ignored(long count) {
    signal(SIGCHLD, SIG_IGN);
    for (long i = 0; i < count; i++) {
        start(0);
    }
    target_check(wait(NULL) == -1 && errno == ECHILD, "a child was told", 12);
    signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv) {
    struct target_options options = {1000, 1, 0, 1};
    target_parse(argc, argv, &options);
    for (long number = 0; number < options.objects; number++) {
        one(number);
    }
    ignored(options.objects / 20);
    printf("child_storm: %ld children\n", options.objects);
    return 0;
}
