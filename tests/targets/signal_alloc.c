/* signal_alloc: a SIGALRM handler on an alternate signal stack that allocates and frees, while main does the same.
 *
 * The handler keeps out when it interrupted libc itself; what remains are main's own code and whatever stands between
 * main and libc. All blocks carry a pattern that is checked before they are freed.
 *
 * expect: exit 0
 */
#include "outside_libc.h"

#include <signal.h>
#include <sys/time.h>

#define SLOTS 64

static char *handler_slots[SLOTS];
static volatile sig_atomic_t handled;

static void on_alarm(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    int saved = errno;
    if (outside_libc(context)) {
        for (int i = 0; i < 8; i++) {
            char **slot = &handler_slots[(handled * 8 + i) % SLOTS];
            if (*slot != NULL && !target_intact(*slot, 200, 77)) {
                _exit(11);
            }
            free(*slot);
            *slot = (char *)malloc(200);
            if (*slot == NULL) {
                _exit(3);
            }
            memset(*slot, 77, 200);
        }
        handled = handled + 1;
    }
    errno = saved;
}

int main(int argc, char **argv) {
    struct target_options options = {1000, 300, 1, 1};
    target_parse(argc, argv, &options);
    outside_libc_prepare();
    stack_t stack = {.ss_sp = malloc(64 * 1024), .ss_size = 64 * 1024, .ss_flags = 0};
    target_check(sigaltstack(&stack, NULL) == 0, "sigaltstack", 3);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_alarm;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval every = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &every, NULL);

    char **blocks = (char **)calloc((size_t)options.objects + 1, sizeof *blocks);
    double end = target_now() + options.seconds;
    long rounds = 0;
    while (target_now() < end || handled < 20) {
        for (long i = 0; i < options.objects; i++) {
            if (blocks[i] != NULL) {
                target_check(target_intact(blocks[i], (size_t)options.size, (int)(i & 0xff)), "damaged", 11);
            }
            free(blocks[i]);
            blocks[i] = (char *)target_touch(malloc((size_t)options.size), (size_t)options.size, (int)(i & 0xff));
        }
        rounds++;
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    for (long i = 0; i < options.objects; i++) {
        free(blocks[i]);
    }
    free(blocks);
    for (int i = 0; i < SLOTS; i++) {
        free(handler_slots[i]);
    }
    fprintf(stderr, "signal_alloc: %ld rounds, %d signals handled\n", rounds, (int)handled);
    printf("signal_alloc: done\n");
    return 0;
}
