/* ticking: makes and frees blocks while a timer's handler allocates. What it asks for no allocator has, so it is refused before
 * anything is touched, and the handler may come at any time. Prints how many blocks there were. ticking TICKS */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static volatile size_t too_much = (size_t)PTRDIFF_MAX + 1;

static void on_tick(int number) {
    (void)number;
    ticks = ticks + 1;
    if (malloc(too_much)) {
        abort();
    }
}

int main(int argc, char **argv) {
    const long wanted = argc > 1 ? atol(argv[1]) : 100;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_tick;
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval every = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    long blocks = 0;
    for (; ticks < wanted; blocks++) {
        void *volatile block = malloc(16);
        free(block);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%ld\n", blocks);
    return 0;
}
