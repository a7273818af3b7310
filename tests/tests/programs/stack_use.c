/* stack_use: how many bytes of stack a few calls use, each on a coroutine's stack that was filled with a pattern before. After
 * two rounds that warm up, one line a call: "malloc 64".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define BYTES 65536
#define PATTERN 0xA5

enum { MALLOC, FREE, OPEN, CLOSE, FOPEN, FCLOSE, CALLS };
static const char *const names[CALLS] = {"malloc", "free", "open", "close", "fopen", "fclose"};

static ucontext_t outside, inside;
static unsigned char *stack;
static int call;
static void *volatile block;
static volatile int number;
static FILE *volatile stream;

static void body(void) {
    switch (call) {
    case MALLOC:
        block = malloc(1000);
        break;
    case FREE:
        free(block);
        break;
    case OPEN:
        number = open("/dev/null", O_RDONLY);
        break;
    case CLOSE:
        close(number);
        break;
    case FOPEN:
        stream = fopen("/dev/null", "r");
        break;
    case FCLOSE:
        fclose(stream);
        break;
    }
}

static int used(int which) {
    memset(stack, PATTERN, BYTES);
    call = which;
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = BYTES;
    inside.uc_link = &outside;
    makecontext(&inside, body, 0);
    swapcontext(&outside, &inside);
    int untouched = 0;
    while (untouched < BYTES && stack[untouched] == PATTERN) {
        untouched++;
    }
    return BYTES - untouched;
}

int main(void) {
    stack = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 3; round++) {
        for (int which = 0; which < CALLS; which++) {
            int bytes = used(which);
            if (round == 2) {
                printf("%s %d\n", names[which], bytes);
            }
        }
    }
    return 0;
}
