/* chaos_jumps.h: coroutines on stacks of their own, longjmp over frames, and jumps out of signal handlers, from inside the
 * hooks as well.
 *
 * In: a worker's choices, timer signals. Out: a damaged block or a lost descriptor ends the run. What is done while a jump
 * may come has the same outcome whether it was done wholly, in part or not at all, so nothing is lost by a jump.
 */
#ifndef CHAOS_JUMPS_H
#define CHAOS_JUMPS_H

#include "chaos_descriptors.h"
#include "chaos_memory.h"
#include "outside_libc.h"

#include <sys/syscall.h>

#define CHAOS_COROUTINES 3
#define CHAOS_STACK_BYTES ((size_t)64 * 1024)

struct chaos_coroutine {
    ucontext_t context;
    ucontext_t *back;
    struct chaos *chaos;
    void *stack;
    int is_mapped;
    int is_over;
};

static __thread struct chaos_coroutine *chaos_current;

static void coroutine_yield(void) {
    struct chaos_coroutine *coroutine = chaos_current;
    swapcontext(&coroutine->context, coroutine->back);
}

static TARGET_NOINLINE void coroutine_descend(unsigned depth) {
    struct chaos_block *block = block_new(chaos_current->chaos);
    int fd = fd_new(chaos_current->chaos);
    if (depth > 0) {
        coroutine_descend(depth - 1);
    }
    coroutine_yield();
    fd_close(fd);
    block_free(block);
}

static void coroutine_body(void) {
    coroutine_descend(chaos_below(chaos_current->chaos, 6));
    chaos_current->is_over = 1;
    coroutine_yield();
}

static void *stack_new(int is_mapped) {
    void *stack = is_mapped ? mmap(NULL, CHAOS_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                            : malloc(CHAOS_STACK_BYTES);
    chaos_check(stack != NULL && stack != MAP_FAILED, "no stack");
    return stack;
}

static void stack_free(void *stack, int is_mapped) {
    if (is_mapped) {
        chaos_check(munmap(stack, CHAOS_STACK_BYTES) == 0, "munmap of a stack");
    } else {
        free(stack);
    }
}

static void do_coroutines(struct chaos *chaos) {
    struct chaos_coroutine all[CHAOS_COROUTINES];
    ucontext_t back;
    for (int i = 0; i < CHAOS_COROUTINES; i++) {
        struct chaos_coroutine *coroutine = &all[i];
        memset(coroutine, 0, sizeof *coroutine);
        coroutine->back = &back;
        coroutine->chaos = chaos;
        coroutine->is_mapped = (int)chaos_below(chaos, 2);
        coroutine->stack = stack_new(coroutine->is_mapped);
        getcontext(&coroutine->context);
        coroutine->context.uc_stack.ss_sp = coroutine->stack;
        coroutine->context.uc_stack.ss_size = CHAOS_STACK_BYTES;
        makecontext(&coroutine->context, coroutine_body, 0);
    }
    for (int left = CHAOS_COROUTINES; left > 0;) {
        struct chaos_coroutine *coroutine = &all[chaos_below(chaos, CHAOS_COROUTINES)];
        if (coroutine->is_over) {
            continue;
        }
        chaos_current = coroutine;
        swapcontext(&back, &coroutine->context);
        if (coroutine->is_over) {
            stack_free(coroutine->stack, coroutine->is_mapped);
            left--;
        }
    }
}

/* Work on a stack that no unwind table and no kernel knows of, up to the very end of its last page. */
static void own_stack_body(void *argument) {
    struct chaos *chaos = (struct chaos *)argument;
    do_blocks(chaos);
    do_kept_fds(chaos);
}

static TARGET_NOINLINE void do_own_stack(struct chaos *chaos) {
#if defined(__x86_64__)
    int is_mapped = (int)chaos_below(chaos, 2);
    char *stack = (char *)stack_new(is_mapped);
    void (*body)(void *) = own_stack_body;
    void *argument = chaos, *top = (void *)((uintptr_t)(stack + CHAOS_STACK_BYTES) & ~(uintptr_t)15);
    __asm__ volatile("movq %%rsp, %%rbx\n\tmovq %2, %%rsp\n\tcallq *%0\n\tmovq %%rbx, %%rsp"
                     : "+r"(body), "+D"(argument), "+r"(top)
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    stack_free(stack, is_mapped);
#else
    own_stack_body(chaos);
#endif
}

static TARGET_NOINLINE void jump_down(struct chaos *chaos, unsigned depth, jmp_buf *out) {
    volatile char frame[200];
    frame[depth % sizeof frame] = 1;
    if (depth == 0) {
        do_kept_fds(chaos);
        longjmp(*out, 1);
    }
    /* Never; but the compiler is not to know that nobody comes back from here. */
    if (frame[0] != 2) {
        jump_down(chaos, depth - 1, out);
    }
}

static TARGET_NOINLINE void do_longjmp(struct chaos *chaos) {
    jmp_buf out;
    struct chaos_block *volatile block = block_new(chaos);
    if (setjmp(out) == 0) {
        jump_down(chaos, chaos_below(chaos, 40), &out);
    }
    block_free(block);
}

/* Handler of a timer of the worker's own. Out of libc nobody may jump; out of a hook a program does. */
static void on_jump(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    struct chaos *chaos = chaos_self;
    if (chaos != NULL && chaos->may_jump && outside_libc(context)) {
        chaos->may_jump = 0;
        chaos->jumps++;
        siglongjmp(chaos->again, 1);
    }
}

static timer_t timer_of_thread(int signal, long period_ns) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_t timer;
    chaos_check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
    struct itimerspec period = {{0, period_ns}, {0, period_ns}};
    chaos_check(timer_settime(timer, 0, &period, NULL) == 0, "timer_settime");
    return timer;
}

static TARGET_NOINLINE void do_handler_jumps(struct chaos *chaos) {
    int mine = chaos->reserved + 20;
    size_t bytes = 100 + chaos_below(chaos, 3000);
    char *volatile block = (char *)target_touch(malloc(bytes), bytes, 5);
    chaos_check(dup2(STDERR_FILENO, mine) == mine, "dup2");
    timer_t timer = timer_of_thread(SIGRTMIN + 1, 60000 + (long)chaos_below(chaos, 60000));
    volatile long rounds = 0, until = chaos->jumps + 12;
    if (sigsetjmp(chaos->again, 1) != 0) {
        chaos_check(fcntl(mine, F_GETFD) >= 0, "a jump lost a descriptor");
        chaos_check(target_intact(block, bytes, 5), "a jump damaged a block");
    }
    while (rounds < 400 && chaos->jumps < until) {
        rounds++;
        chaos->may_jump = 1;
        /* To the size that it has: glibc leaves the block where it is. */
        char *same = (char *)realloc(block, bytes);
        dup2(STDERR_FILENO, mine);
        close(-1);
        free(NULL);
        open("/nowhere/at/all", O_RDONLY);
        chaos->may_jump = 0;
        chaos_check(same == block, "a block moved for no reason");
    }
    chaos_check(timer_delete(timer) == 0, "timer_delete");
    fd_close(mine);
    chaos_check(target_intact(block, bytes, 5), "a block was damaged");
    free(block);
}

#endif
