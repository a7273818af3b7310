/* outside_libc.h: was the program interrupted outside of libc and the loader?
 *
 * malloc may not be called, nor jumped out of, in a signal handler that interrupted libc's own malloc. Everywhere else
 * it works in practice, and programs do it. A handler that asks this first is correct without MemGuard; with MemGuard
 * it also strikes in the middle of the hooks, which are not part of libc: exactly what the targets want to try.
 */
#ifndef OUTSIDE_LIBC_H
#define OUTSIDE_LIBC_H

#include "target.h"

#include <link.h>
#include <ucontext.h>

#define OUTSIDE_LIBC_RANGES 8
static uintptr_t outside_libc_start[OUTSIDE_LIBC_RANGES], outside_libc_end[OUTSIDE_LIBC_RANGES];
static int outside_libc_count;

static int outside_libc_note(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    const char *name = info->dlpi_name == NULL ? "" : info->dlpi_name;
    int wanted = strstr(name, "libc.so") || strstr(name, "libc-2") || strstr(name, "ld-linux") || strstr(name, "vdso");
    if (!wanted || outside_libc_count == OUTSIDE_LIBC_RANGES) {
        return 0;
    }
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD) {
            uintptr_t start = info->dlpi_addr + header->p_vaddr;
            low = start < low ? start : low;
            high = start + header->p_memsz > high ? start + header->p_memsz : high;
        }
    }
    outside_libc_start[outside_libc_count] = low;
    outside_libc_end[outside_libc_count] = high;
    outside_libc_count++;
    return 0;
}

/* Call once before the first signal. */
static void outside_libc_prepare(void) {
    dl_iterate_phdr(outside_libc_note, NULL);
    target_check(outside_libc_count >= 2, "libc and the loader were not found", 3);
}

/* `context` is the third argument of the signal handler. */
static int outside_libc(const void *context) {
    const ucontext_t *interrupted = (const ucontext_t *)context;
#if defined(__x86_64__)
    uintptr_t at = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    uintptr_t at = (uintptr_t)interrupted->uc_mcontext.pc;
#else
#error "outside_libc.h: unknown architecture"
#endif
    for (int i = 0; i < outside_libc_count; i++) {
        if (at >= outside_libc_start[i] && at < outside_libc_end[i]) {
            return 0;
        }
    }
    return 1;
}

#endif
