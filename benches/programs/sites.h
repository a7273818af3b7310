/* sites.h: 50,000 functions that allocate, as machine code of equal length, because a compiler takes minutes for so many. */
#ifndef SITES_H
#define SITES_H

#include <stddef.h>

#define SITES 50000
#define SITE_BYTES 32

#ifdef __x86_64__
/* Each calls malloc with the size it was given, from an address of its own. */
__asm__(".text\n.balign 32\n.globl sites_code\nsites_code:\n"
        ".rept 50000\n.balign 32\n.cfi_startproc\nsub $8, %rsp\n.cfi_adjust_cfa_offset 8\ncall malloc@PLT\n"
        "add $8, %rsp\n.cfi_adjust_cfa_offset -8\nret\n.cfi_endproc\n.endr\n");
#else
#error "sites.h knows x86-64 alone"
#endif

extern char sites_code[];

typedef void *(*site)(size_t);

static inline site site_number(long number) {
    return (site)(void *)(sites_code + number * SITE_BYTES);
}

#endif
