/* keeper: takes memory at a steady pace and does one thing with it: keeper WHAT SECONDS. Ends with what it had in hand.
 *
 * lost: forgets it. tree: forgets the root of three blocks, of which the first points at the others. ring: forgets two blocks
 * that point at each other. error: forgets one in fifty and frees the rest. list: keeps all in a list. cache: keeps all by
 * number. epoll: keeps all in what the kernel holds for a registration. timer: the same with timers that never expire. vector:
 * makes one array larger and larger. filled: the same for two fifths of the time. queue: frees every second one, the oldest
 * first. load: a queue whose length is always the load's, and the load grows. exit: a list whose memory is given back in the
 * end. stopped: forgets memory for a third of the time, then no more.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#define BYTES 4000
#define ENTRIES 100000

struct node {
    struct node *first, *second;
    char data[BYTES];
};

static struct node *list;
static struct node *table[ENTRIES];
static struct node *waiting[ENTRIES];
static long came, went;
static char *array;
static size_t used_bytes, room_bytes;
static int instance;

/* What was allocated is used, as far as the compiler can tell. */
static void use(void *memory) {
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static struct node *fresh(void) {
    struct node *node = (struct node *)malloc(sizeof *node);
    memset(node, 0, sizeof *node);
    use(node);
    return node;
}

__attribute__((noinline)) static void lose(void) {
    use(fresh());
}

__attribute__((noinline)) static void lose_tree(void) {
    struct node *root = fresh();
    root->first = fresh();
    root->second = fresh();
    use(root);
}

__attribute__((noinline)) static void lose_ring(void) {
    struct node *one = fresh();
    one->first = fresh();
    one->first->first = one;
    use(one);
}

__attribute__((noinline)) static void handle(long number) {
    struct node *node = fresh();
    if (number % 50 != 0) {
        free(node);
    }
}

__attribute__((noinline)) static void keep(void) {
    struct node *node = fresh();
    node->first = list;
    list = node;
}

__attribute__((noinline)) static void cache_put(long number) {
    table[number % ENTRIES] = fresh();
    use(table);
}

__attribute__((noinline)) static void watch(void) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fresh()};
    epoll_ctl(instance, EPOLL_CTL_ADD, eventfd(0, 0), &event);
}

__attribute__((noinline)) static void arm(void) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_ptr = fresh();
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
}

__attribute__((noinline)) static void push(size_t bytes) {
    if (used_bytes + bytes > room_bytes) {
        room_bytes = room_bytes == 0 ? 4096 : 2 * room_bytes;
        array = (char *)realloc(array, room_bytes);
    }
    memset(array + used_bytes, 1, bytes);
    used_bytes += bytes;
}

__attribute__((noinline)) static void enqueue(void) {
    waiting[came++ % ENTRIES] = fresh();
}

static void dequeue(void) {
    if (went < came) {
        free(waiting[went++ % ENTRIES]);
    }
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: keeper WHAT SECONDS\n");
        return 2;
    }
    const char *what = argv[1];
    double start_s = now_s(), seconds = atof(argv[2]);
    instance = epoll_create1(EPOLL_CLOEXEC);
    signal(SIGUSR1, SIG_IGN);
    long number = 0;
    for (double share = 0; share < 1; share = (now_s() - start_s) / seconds, number++) {
        switch (what[0] << 8 | what[1]) {
        case 'l' << 8 | 'o': what[2] == 's' ? lose() : (void)0;
            if (what[2] == 'a') {
                long length = 10 + (long)(400 * share);
                for (long arrivals = 0; arrivals < length / 10; arrivals++) {
                    enqueue();
                }
                while (came - went > length) {
                    dequeue();
                }
            }
            break;
        case 't' << 8 | 'r': lose_tree(); break;
        case 'r' << 8 | 'i': lose_ring(); break;
        case 'e' << 8 | 'r': for (int i = 0; i < 50; i++) { handle(number * 50 + i); } break;
        case 'l' << 8 | 'i': case 'e' << 8 | 'x': keep(); break;
        case 'c' << 8 | 'a': cache_put(number); break;
        case 'e' << 8 | 'p': watch(); break;
        case 't' << 8 | 'i': arm(); break;
        case 'v' << 8 | 'e': push(BYTES); break;
        case 'f' << 8 | 'i': share < 0.4 ? push(BYTES) : (void)0; break;
        case 'q' << 8 | 'u': enqueue(); enqueue(); dequeue(); break;
        case 's' << 8 | 't': share < 0.34 ? lose() : (void)0; break;
        default: fprintf(stderr, "keeper: %s?\n", what); return 2;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    while (what[0] == 'e' && what[1] == 'x' && list != NULL) {
        struct node *next = list->first;
        free(list);
        list = next;
    }
    printf("%s: %s\n", what, number > 0 ? "done" : "nothing");
    return 0;
}
