/* cut_mappings: many mappings, given back in parts at random: whole, their beginnings, their ends, holes, and ranges over
 * several. With --hold it says after each phase what it still holds and waits for a line: `phase N COUNT`, then COUNT lines
 * `START BYTES`. Of a mapping with a hole the part before it counts.
 *
 * expect: exit 0
 */
#include "target.h"

#include <inttypes.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define PIECES 600
#define PAGES_MAX 8
#define PHASES 6
#define ROUNDS 3000

struct piece {
    uintptr_t start;
    size_t bytes; /* 0: none */
};

static struct piece pieces[PIECES];
static uint64_t state = 88172645463325252ULL;

static unsigned below(unsigned limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % limit);
}

static void map(struct piece *piece) {
    piece->bytes = (1 + below(PAGES_MAX)) * PAGE;
    void *made = mmap(NULL, piece->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    target_check(made != MAP_FAILED, "mmap", 10);
    piece->start = (uintptr_t)made;
}

/* Everything between the two addresses goes, whoever's it is. */
static void unmap(uintptr_t start, uintptr_t end) {
    target_check(munmap((void *)start, end - start) == 0, "munmap", 10);
    for (struct piece *piece = pieces; piece < pieces + PIECES; piece++) {
        uintptr_t to = piece->start + piece->bytes;
        if (piece->bytes == 0 || to <= start || end <= piece->start) {
            continue;
        }
        if (piece->start < start) {
            piece->bytes = start - piece->start;
        } else if (end < to) {
            piece->bytes = to - end;
            piece->start = end;
        } else {
            piece->bytes = 0;
        }
    }
}

/* What lies beside a piece may be a library's or a stack: only what is ours may go. */
static int is_ours(uintptr_t page) {
    for (struct piece *piece = pieces; piece < pieces + PIECES; piece++) {
        if (piece->start <= page && page < piece->start + piece->bytes) {
            return 1;
        }
    }
    return 0;
}

static void cut(const struct piece *piece) {
    uintptr_t start = piece->start + below((unsigned)(piece->bytes / PAGE)) * PAGE;
    uintptr_t end = start + PAGE;
    for (unsigned more = below(2 * PAGES_MAX); more > 0 && is_ours(end); more--) {
        end += PAGE;
    }
    unmap(start, end);
}

static void say(int phase) {
    int count = 0;
    for (int i = 0; i < PIECES; i++) {
        count += pieces[i].bytes != 0;
    }
    printf("phase %d %d\n", phase, count);
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].bytes != 0) {
            printf("%" PRIuPTR " %zu\n", pieces[i].start, pieces[i].bytes);
        }
    }
    fflush(stdout);
    char line[8];
    target_check(fgets(line, sizeof line, stdin) != NULL, "nobody answers", 11);
}

int main(int argc, char **argv) {
    int hold = argc == 2 && strcmp(argv[1], "--hold") == 0;
    for (int phase = 0; phase < PHASES; phase++) {
        for (int i = 0; i < ROUNDS; i++) {
            struct piece *piece = &pieces[below(PIECES)];
            if (piece->bytes == 0) {
                map(piece);
            } else if (below(4) == 0) {
                unmap(piece->start, piece->start + piece->bytes);
            } else {
                cut(piece);
            }
        }
        if (hold) {
            say(phase);
        }
    }
    puts("done");
    return 0;
}
