/* coroutines: allocations on stacks the thread does not own: mmapped ones and malloc'ed ones, unmapped or freed afterwards.
 *
 * An unwinder that trusts the thread's stack bounds, or remembers a stack that is gone, fails here. Each coroutine
 * allocates, yields in the middle of a call chain, is resumed later, and ends; then its stack is given back at once.
 * --objects says how many coroutines run, four at a time.
 *
 * expect: exit 0
 */
#include "target.h"

#include <sys/mman.h>
#include <ucontext.h>

#define LIVE 4
#define STACK_BYTES ((size_t)32 * 1024)

struct coroutine {
    ucontext_t context;
    void *stack;
    int mapped;
    int running;
};

static ucontext_t scheduler;
static struct coroutine coroutines[LIVE];
static struct coroutine *current;
static size_t block_size;

static void yield_now(void) { swapcontext(&current->context, &scheduler); }

static TARGET_NOINLINE void descend(int depth) {
    char *block = (char *)target_touch(malloc(block_size), block_size, depth);
    if (depth == 0) {
        yield_now();
    } else {
        descend(depth - 1);
    }
    target_check(target_intact(block, block_size, depth), "a block was damaged", 11);
    free(block);
}

static void body(void) {
    descend(6);
    yield_now();
    descend(3);
    current->running = 0;
    yield_now();
}

static void begin(struct coroutine *coroutine, int mapped) {
    coroutine->mapped = mapped;
    coroutine->stack = mapped ? mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                              : malloc(STACK_BYTES);
    target_check(coroutine->stack != NULL && coroutine->stack != MAP_FAILED, "no stack", 3);
    coroutine->running = 1;
    getcontext(&coroutine->context);
    coroutine->context.uc_stack.ss_sp = coroutine->stack;
    coroutine->context.uc_stack.ss_size = STACK_BYTES;
    coroutine->context.uc_link = &scheduler;
    makecontext(&coroutine->context, body, 0);
}

static void finish(struct coroutine *coroutine) {
    if (coroutine->mapped) {
        munmap(coroutine->stack, STACK_BYTES);
    } else {
        free(coroutine->stack);
    }
    coroutine->stack = NULL;
}

int main(int argc, char **argv) {
    struct target_options options = {4000, 900, 0, 1};
    target_parse(argc, argv, &options);
    block_size = (size_t)options.size;
    long begun = 0, finished = 0;
    while (finished < options.objects) {
        for (int i = 0; i < LIVE; i++) {
            current = &coroutines[i];
            if (current->stack == NULL && begun < options.objects) {
                begin(current, (int)(begun++ % 2));
            }
            if (current->stack == NULL) {
                continue;
            }
            swapcontext(&scheduler, &current->context);
            if (!current->running) {
                finish(current);
                finished++;
            }
        }
    }
    printf("coroutines: %ld ran to their end\n", finished);
    return 0;
}
