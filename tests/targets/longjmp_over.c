/* longjmp_over: a signal handler that leaves by siglongjmp, out of whatever was being called: malloc's hooks included.
 *
 * It never jumps out of libc itself (that would be the program's own mistake). A watcher that sets a flag or takes a
 * lock on its way in must survive never coming back: afterwards the program still has to run, in bounded time, and its
 * memory must be intact. A block that was being allocated when the jump came may be lost; that is the program's doing.
 *
 * expect: exit 0
 */
#include "outside_libc.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#define SLOTS 256

static sigjmp_buf again;
static volatile sig_atomic_t may_jump;
static volatile long jumps;
static char *volatile slots[SLOTS];

static void on_alarm(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    if (may_jump && outside_libc(context)) {
        may_jump = 0;
        jumps = jumps + 1;
        siglongjmp(again, 1);
    }
}

/* Exchanges one block; the slot is empty while neither the old nor the new block is certain. */
static TARGET_NOINLINE void replace(long step, size_t size) {
    long index = step % SLOTS;
    char *old = slots[index];
    if (old != NULL) {
        target_check(target_intact(old, size, (int)index), "a block was damaged", 11);
        slots[index] = NULL;
        free(old);
    }
    char *fresh = (char *)malloc(size);
    target_check(fresh != NULL, "malloc", 3);
    memset(fresh, (int)index, size);
    slots[index] = fresh;
}

int main(int argc, char **argv) {
    struct target_options options = {300, 120, 1, 1};
    target_parse(argc, argv, &options);
    outside_libc_prepare();
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_alarm;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval every = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &every, NULL);

    static volatile long step;
    double end = target_now() + options.seconds;
    sigsetjmp(again, 1);
    while (target_now() < end || jumps < options.objects) {
        may_jump = 1;
        for (int i = 0; i < 1000; i++) {
            long now = step;
            step = now + 1;
            replace(now, (size_t)options.size);
        }
        may_jump = 0;
        if (target_now() > end + 30) {
            break;
        }
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    for (int i = 0; i < SLOTS; i++) {
        free(slots[i]);
    }
    fprintf(stderr, "longjmp_over: %ld steps, %ld jumps\n", step, jumps);
    printf("longjmp_over: done\n");
    return jumps < options.objects ? 12 : 0;
}
