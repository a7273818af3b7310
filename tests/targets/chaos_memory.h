/* chaos_memory.h: blocks of every size from every function, freed here or by other threads; mappings in parts.
 *
 * Each block says how long it is and carries a pattern at both ends. In: a worker's choices. Out: damage ends the run.
 */
#ifndef CHAOS_MEMORY_H
#define CHAOS_MEMORY_H

#include "chaos.h"

#include <malloc.h>
#include <sys/mman.h>

#define CHAOS_SHARED_BLOCKS 256
#define CHAOS_PATTERN_BYTES 128
#define CHAOS_PAGE ((size_t)4096)

struct chaos_block {
    size_t bytes;
    uint64_t mark;
    unsigned char rest[];
};

/* Blocks on their way from one thread to another. */
static _Atomic(struct chaos_block *) chaos_shared[CHAOS_SHARED_BLOCKS];

static void block_fill(struct chaos_block *block, size_t bytes, uint64_t mark) {
    block->bytes = bytes;
    block->mark = mark;
    size_t rest = bytes - sizeof *block;
    size_t part = rest < CHAOS_PATTERN_BYTES ? rest : CHAOS_PATTERN_BYTES;
    memset(block->rest, (int)(mark & 0xff), part);
    memset(block->rest + rest - part, (int)(mark & 0xff), part);
}

static void block_verify(const struct chaos_block *block, size_t bytes) {
    size_t rest = bytes - sizeof *block;
    size_t part = rest < CHAOS_PATTERN_BYTES ? rest : CHAOS_PATTERN_BYTES;
    chaos_check(block->bytes == bytes, "a block's size was damaged");
    chaos_check(target_intact(block->rest, part, (int)(block->mark & 0xff)), "a block's beginning was damaged");
}

static void block_free(struct chaos_block *block) {
    if (block == NULL) {
        return;
    }
    block_verify(block, block->bytes);
    size_t rest = block->bytes - sizeof *block;
    size_t part = rest < CHAOS_PATTERN_BYTES ? rest : CHAOS_PATTERN_BYTES;
    chaos_check(target_intact(block->rest + rest - part, part, (int)(block->mark & 0xff)), "a block's end was damaged");
    errno = EXDEV;
    free(block);
    chaos_check(errno == EXDEV, "free changed errno");
}

/* Mostly small, now and then so large that it is mapped. */
static size_t block_bytes(struct chaos *chaos) {
    unsigned bits = chaos_below(chaos, 200) == 0 ? 20 + chaos_below(chaos, 2) : 5 + chaos_below(chaos, 10);
    return sizeof(struct chaos_block) + ((size_t)1 << bits) + chaos_below(chaos, 1u << bits);
}

static TARGET_NOINLINE struct chaos_block *block_new(struct chaos *chaos) {
    size_t bytes = block_bytes(chaos), alignment = (size_t)16 << chaos_below(chaos, 6);
    void *block = NULL;
    errno = EXDEV;
    switch (chaos_below(chaos, 10)) {
    case 0:
        block = calloc(1, bytes);
        chaos_check(block != NULL && target_intact(block, bytes < 256 ? bytes : 256, 0), "calloc gave no zeroes");
        break;
    case 1:
        block = realloc(NULL, bytes);
        break;
    case 2:
        block = reallocarray(NULL, 1, bytes);
        break;
    case 3:
        block = aligned_alloc(alignment, bytes);
        chaos_check((uintptr_t)block % alignment == 0, "aligned_alloc did not align");
        break;
    case 4:
        chaos_check(posix_memalign(&block, alignment, bytes) == 0, "posix_memalign");
        chaos_check((uintptr_t)block % alignment == 0, "posix_memalign did not align");
        break;
    case 5:
        block = memalign(alignment, bytes);
        break;
    default:
        block = malloc(bytes);
        break;
    }
    chaos_check(block != NULL, "no memory");
    chaos_check(errno == EXDEV, "an allocation that succeeded changed errno");
    chaos_check(malloc_usable_size(block) >= bytes, "a block is too small");
    block_fill((struct chaos_block *)block, bytes, chaos_next(&chaos->random));
    return (struct chaos_block *)block;
}

static struct chaos_block *block_resize(struct chaos *chaos, struct chaos_block *block) {
    size_t before = block->bytes, bytes = block_bytes(chaos);
    uint64_t mark = block->mark;
    chaos_check(realloc(block, (size_t)PTRDIFF_MAX) == NULL && errno == ENOMEM, "an absurd realloc succeeded");
    block_verify(block, before);
    struct chaos_block *moved = (struct chaos_block *)realloc(block, bytes);
    chaos_check(moved != NULL && moved->bytes == before && moved->mark == mark, "realloc lost what was there");
    block_fill(moved, bytes, mark + 1);
    return moved;
}

/* Some blocks come, some go; a share of them passes to other threads. */
static void do_blocks(struct chaos *chaos) {
    for (unsigned left = 1 + chaos_below(chaos, 48); left > 0; left--) {
        unsigned at = chaos_below(chaos, CHAOS_KEPT_BLOCKS);
        struct chaos_block **mine = &chaos->blocks[at];
        switch (chaos_below(chaos, 4)) {
        case 0:
            block_free(*mine);
            *mine = block_new(chaos);
            break;
        case 1:
            block_free(*mine);
            *mine = NULL;
            break;
        case 2:
            *mine = *mine == NULL ? block_new(chaos) : block_resize(chaos, *mine);
            break;
        default:
            *mine = atomic_exchange(&chaos_shared[chaos_below(chaos, CHAOS_SHARED_BLOCKS)], *mine);
            break;
        }
    }
}

static void blocks_end(struct chaos *chaos) {
    for (int i = 0; i < CHAOS_KEPT_BLOCKS; i++) {
        block_free(chaos->blocks[i]);
        chaos->blocks[i] = NULL;
    }
}

static void shared_blocks_end(void) {
    for (int i = 0; i < CHAOS_SHARED_BLOCKS; i++) {
        block_free(atomic_exchange(&chaos_shared[i], NULL));
    }
}

/* A mapping that grows, loses its beginning and its end, and goes; always by exactly the pages that are ours. */
static void do_mappings(struct chaos *chaos) {
    size_t pages = 4 + chaos_below(chaos, 60);
    char *start = (char *)mmap(NULL, pages * CHAOS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    chaos_check(start != MAP_FAILED, "mmap");
    for (size_t page = 0; page < pages; page++) {
        start[page * CHAOS_PAGE] = (char)page;
    }
    if (chaos_below(chaos, 2) == 0) {
        size_t more = pages + chaos_below(chaos, 100);
        start = (char *)mremap(start, pages * CHAOS_PAGE, more * CHAOS_PAGE, MREMAP_MAYMOVE);
        chaos_check(start != MAP_FAILED, "mremap");
        for (size_t page = pages; page < more; page++) {
            start[page * CHAOS_PAGE] = (char)page;
        }
        pages = more;
    }
    if (chaos_below(chaos, 2) == 0) {
        void *again = mmap(start + CHAOS_PAGE, CHAOS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        chaos_check(again == start + CHAOS_PAGE && start[CHAOS_PAGE] == 0, "a mapping over another");
        start[CHAOS_PAGE] = 1;
    }
    size_t head = chaos_below(chaos, 2), tail = pages - chaos_below(chaos, 2);
    chaos_check(head == 0 || munmap(start, head * CHAOS_PAGE) == 0, "munmap of a beginning");
    chaos_check(tail == pages || munmap(start + tail * CHAOS_PAGE, (pages - tail) * CHAOS_PAGE) == 0, "munmap of an end");
    for (size_t page = head; page < tail; page++) {
        chaos_check(start[page * CHAOS_PAGE] == (char)page, "a mapping was damaged");
    }
    size_t middle = head + 1 + chaos_below(chaos, (unsigned)(tail - head - 1));
    chaos_check(munmap(start + middle * CHAOS_PAGE, (tail - middle) * CHAOS_PAGE) == 0, "munmap of the rest");
    chaos_check(munmap(start + head * CHAOS_PAGE, (middle - head) * CHAOS_PAGE) == 0, "munmap of the rest");
}

#endif
