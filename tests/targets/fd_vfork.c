/* fd_vfork: children that share the program's memory, or begin with a copy of it, close and replace descriptors.
 *
 * None of that is the parent's: its descriptors stay open, are the same files as before, and MemGuard still has them in its
 * table (with --hold, see holding.h). --objects rounds of each kind. 10: a door did not open; 11: a descriptor of the
 * parent's changed; 12: the test went away; 13: a child failed.
 *
 * expect: exit 0
 */
#include "holding.h"

#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HELD 12

extern char **environ;
static char *const nothing[] = {(char *)"true", NULL};
static struct stat files[HELD];
static int fds[HELD];

static int open_one(int i) {
    switch (i % 4) {
    case 0:
        return hold(open("/dev/null", O_RDONLY), "file");
    case 1:
        return hold(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    case 2:
        return hold(eventfd(0, 0), "eventfd");
    default:
        return hold(dup(fds[i - 3]), "duplicate descriptor");
    }
}

static void untouched(void) {
    for (int i = 0; i < HELD; i++) {
        struct stat now;
        target_check(fstat(fds[i], &now) == 0, "a descriptor of the parent's is closed", 11);
        target_check(now.st_ino == files[i].st_ino && now.st_dev == files[i].st_dev, "it is another file", 11);
    }
}

static void reap(pid_t child, const char *what) {
    int status = -1;
    target_check(child > 0 && waitpid(child, &status, 0) == child, what, 13);
    if (status != 0) {
        fprintf(stderr, "fd_vfork: %s ended with %d\n", what, status);
        exit(13);
    }
}

/* Closes half, puts others in their place, and becomes another program. */
static void by_vfork(void) {
    pid_t child = vfork();
    if (child == 0) {
        for (int i = 0; i < HELD; i += 2) {
            close(fds[i]);
        }
        dup2(fds[1], fds[0]);
        dup2(fds[3], STDIN_FILENO);
        close_range((unsigned)fds[HELD - 2], ~0U, 0);
        execv("/bin/true", nothing);
        _exit(99);
    }
    reap(child, "vfork");
}

/* Opens and closes and ends without becoming anything. */
static void by_vfork_and_exit(void) {
    pid_t child = vfork();
    if (child == 0) {
        int fd = open("/dev/null", O_RDONLY);
        close(fds[5]);
        dup2(fd, fds[6]);
        _exit(fd >= 0 ? 0 : 98);
    }
    reap(child, "vfork and exit");
}

static void by_failing_exec(void) {
    pid_t child = vfork();
    if (child == 0) {
        close(fds[7]);
        execv("/absent", nothing);
        _exit(errno == ENOENT ? 0 : 97);
    }
    reap(child, "vfork and no exec");
}

static void by_spawn(void) {
    pid_t child;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawn_file_actions_adddup2(&actions, fds[1], fds[2]);
    posix_spawn_file_actions_addopen(&actions, fds[3], "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, fds[4]);
    target_check(posix_spawn(&child, "/bin/true", &actions, NULL, nothing, environ) == 0, "posix_spawn", 13);
    posix_spawn_file_actions_destroy(&actions);
    reap(child, "posix_spawn");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, 999, 5);
    target_check(posix_spawn(&child, "/bin/true", &actions, NULL, nothing, environ) == EBADF, "a bad action", 13);
    posix_spawn_file_actions_destroy(&actions);
}

/* A copy of the program closes everything, and the lowest number is free in it; then it ends or becomes another one. */
static void by_fork(int how) {
    pid_t child = fork();
    if (child == 0) {
        if (how % 3 == 0) {
            closefrom(3);
        } else if (how % 3 == 1) {
            close_range(3, ~0U, 0);
        } else {
            for (int fd = 3; fd < 1024; fd++) {
                close(fd);
            }
        }
        for (int i = 0; i < 20; i++) {
            if (open("/dev/null", O_RDONLY) != 3 + i) {
                _exit(96);
            }
        }
        closefrom(3);
        if (how % 2 == 0) {
            execv("/bin/true", nothing);
        }
        _exit(0);
    }
    reap(child, "fork");
}

/* Goes on as the program would: it uses what it inherited and has descriptors of its own. */
static void by_fork_and_work(void) {
    pid_t child = fork();
    if (child == 0) {
        untouched();
        for (int i = 0; i < 200; i++) {
            int fd = dup(fds[i % HELD]);
            target_traffic(i);
            if (fd < 0 || close(fd) != 0) {
                _exit(95);
            }
        }
        close(fds[0]);
        dup2(fds[1], fds[2]);
        exit(0);
    }
    reap(child, "fork and work");
}

static void by_shell(void) {
    FILE *stream = popen("exit 0", "r");
    target_check(stream != NULL && pclose(stream) == 0, "popen", 13);
    target_check(system("exec 3<&-; exec 4<&-; true") == 0, "system", 13);
}

int main(int argc, char **argv) {
    struct target_options options = {20, 1, 0, 1};
    target_parse(holding_arguments(argc, argv), argv, &options);
    for (int i = 0; i < HELD; i++) {
        fds[i] = open_one(i);
        target_check(fstat(fds[i], &files[i]) == 0, "fstat", 10);
    }
    phase("before");
    for (long round = 0; round < options.objects; round++) {
        by_vfork();
        by_vfork_and_exit();
        by_failing_exec();
        untouched();
    }
    phase("vfork");
    for (long round = 0; round < options.objects; round++) {
        by_spawn();
        untouched();
    }
    phase("spawn");
    for (long round = 0; round < options.objects; round++) {
        by_fork((int)round);
        by_fork_and_work();
        untouched();
    }
    phase("fork");
    for (long round = 0; round < options.objects; round++) {
        by_shell();
        untouched();
    }
    phase("shell");
    printf("fd_vfork: %ld rounds\n", options.objects);
    return 0;
}
