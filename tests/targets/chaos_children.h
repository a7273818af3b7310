/* chaos_children.h: children by every way, that do something of their own, execute something, or are stopped and killed.
 *
 * In: a worker's choices. Out: a child that ends otherwise than it should ends the run. Nobody is ever signalled but a
 * child that was not waited for yet.
 */
#ifndef CHAOS_CHILDREN_H
#define CHAOS_CHILDREN_H

#include "chaos_threads.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int wait_for(pid_t child) {
    int status = 0;
    pid_t answer;
    while ((answer = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    chaos_check(answer == child, "waitpid");
    return status;
}

static void expect_good(pid_t child, const char *what) {
    int status = wait_for(child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CHAOS_CHILD_GOOD) {
        fprintf(stderr, "chaos: a child's status is %#x\n", (unsigned)status);
        chaos_fail(what, __LINE__);
    }
}

/* What the program does when it is executed by itself: a short life without other threads. */
static int child_program(uint64_t seed) {
    chaos_seed = seed;
    struct chaos chaos;
    chaos_begin(&chaos, 1, 0);
    for (int round = 0; round < 4; round++) {
        do_blocks(&chaos);
        do_kept_fds(&chaos);
        do_pipes(&chaos);
    }
    do_mappings(&chaos);
    fds_end(&chaos);
    blocks_end(&chaos);
    return CHAOS_CHILD_GOOD;
}

/* Executes this program, or leaves with a number that nobody expects. Of an own environment or of none. */
static void execute_self(struct chaos *chaos) {
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)chaos_next(&chaos->random));
    char *arguments[] = {chaos_program, (char *)"--child", seed, NULL}, *nothing[] = {NULL};
    execve(chaos_program, arguments, chaos_below(chaos, 4) == 0 ? nothing : environ);
    _exit(41);
}

/* Everything above the standard streams is closed, whoever opened it; then the lowest number is free again. */
static void child_closes_all(struct chaos *chaos) {
    if (chaos_below(chaos, 2) == 0) {
        closefrom(STDERR_FILENO + 1);
    } else {
        for (int fd = STDERR_FILENO + 1; fd < CHAOS_RESERVED_FDS + CHAOS_WORKERS * CHAOS_RESERVED_EACH; fd++) {
            close(fd);
        }
    }
    chaos_check(open("/dev/null", O_RDONLY) == STDERR_FILENO + 1, "a number is not free in a child");
    do_blocks(chaos);
    do_pipes(chaos);
}

static void child_body(struct chaos *chaos) {
    switch (chaos_below(chaos, 6)) {
    case 0:
        child_closes_all(chaos);
        break;
    case 1:
        do_threads(chaos);
        break;
    case 2: {
        pid_t child = fork();
        if (child == 0) {
            do_blocks(chaos);
            _exit(CHAOS_CHILD_GOOD);
        }
        chaos_check(child > 0, "fork in a child");
        expect_good(child, "a child of a child");
        break;
    }
    case 3:
        execute_self(chaos);
        break;
    case 4:
        do_coroutines(chaos);
        do_longjmp(chaos);
        break;
    default:
        do_blocks(chaos);
        do_kept_fds(chaos);
        do_mappings(chaos);
        break;
    }
    _exit(CHAOS_CHILD_GOOD);
}

static void do_fork(struct chaos *chaos) {
    pthread_mutex_lock(&chaos_environment);
    uint64_t stream = chaos_next(&chaos->random);
    pid_t child = fork();
    if (child == 0) {
        chaos->random = stream;
        child_body(chaos);
    }
    pthread_mutex_unlock(&chaos_environment);
    chaos_check(child > 0, "fork");
    expect_good(child, "a forked child");
}

/* The child closes what its parent holds, in memory that is its parent's, and executes this program. */
static TARGET_NOINLINE void do_vfork(struct chaos *chaos) {
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)chaos_next(&chaos->random));
    char *arguments[] = {chaos_program, (char *)"--child", seed, NULL};
    unsigned what = chaos_below(chaos, 3);
    pthread_mutex_lock(&chaos_environment);
    pid_t child = vfork();
    if (child == 0) {
        for (int fd = STDERR_FILENO + 1; what > 0 && fd < 30; fd++) {
            close(fd);
        }
        if (what == 2) {
            _exit(CHAOS_CHILD_GOOD);
        }
        execve(chaos_program, arguments, environ);
        _exit(41);
    }
    pthread_mutex_unlock(&chaos_environment);
    chaos_check(child > 0, "vfork");
    expect_good(child, "a child of vfork");
}

static void do_spawn(struct chaos *chaos) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)chaos_next(&chaos->random));
    char *self[] = {chaos_program, (char *)"--child", seed, NULL}, *shell[] = {(char *)"sh", (char *)"-c", (char *)"exit 40", NULL};
    pid_t child = -1;
    pthread_mutex_lock(&chaos_environment);
    int answer = chaos_below(chaos, 2) == 0 ? posix_spawn(&child, chaos_program, &actions, NULL, self, environ)
                                             : posix_spawnp(&child, "sh", &actions, NULL, shell, environ);
    pthread_mutex_unlock(&chaos_environment);
    chaos_check(answer == 0, "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    expect_good(child, "a spawned child");
}

static void do_popen(struct chaos *chaos) {
    char line[32] = "";
    (void)chaos;
    pthread_mutex_lock(&chaos_environment);
    FILE *stream = popen("echo hello", "re");
    pthread_mutex_unlock(&chaos_environment);
    chaos_check(stream != NULL, "popen");
    while (fgets(line, sizeof line, stream) == NULL && errno == EINTR) {
        clearerr(stream);
    }
    chaos_check(strcmp(line, "hello\n") == 0, "what popen read");
    chaos_check(pclose(stream) == 0, "pclose");
}

/* A child that works without an end, wherever it may be when it is stopped, continued, and at last killed. */
static void do_torment(struct chaos *chaos) {
    pthread_mutex_lock(&chaos_environment);
    uint64_t stream = chaos_next(&chaos->random);
    pid_t child = fork();
    if (child == 0) {
        chaos->random = stream;
        for (;;) {
            do_blocks(chaos);
            do_kept_fds(chaos);
            do_pipes(chaos);
            do_mappings(chaos);
        }
    }
    pthread_mutex_unlock(&chaos_environment);
    chaos_check(child > 0, "fork");
    /* Now and then long enough to be watched for itself. */
    int rounds = chaos_below(chaos, 6) == 0 ? 60 : (int)chaos_below(chaos, 8);
    for (int round = 0; round < rounds; round++) {
        int status = 0;
        chaos_pause(1000 + (long)chaos_below(chaos, 20000));
        chaos_check(kill(child, SIGSTOP) == 0, "kill");
        if (chaos_below(chaos, 2) == 0) {
            chaos_check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "a child did not stop");
        }
        chaos_pause((long)chaos_below(chaos, 5000));
        chaos_check(kill(child, SIGCONT) == 0, "kill");
    }
    chaos_pause((long)chaos_below(chaos, 10000));
    chaos_check(kill(child, SIGKILL) == 0, "kill");
    int status;
    do {
        while (waitpid(child, &status, WUNTRACED) < 0) {
            chaos_check(errno == EINTR, "waitpid");
        }
    } while (WIFSTOPPED(status));
    chaos_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a killed child ended otherwise");
}

#endif
