/* mmap_storm: mappings made, cut, moved, overlaid and given back, --objects times at random, against a model of its own.
 *
 * 256 pages are reserved; every page is absent or holds its own byte. 10: a call failed; 11: a page has another content;
 * 12: a misuse was not refused.
 *
 * expect: exit 0
 */
#include "target.h"

#include <fcntl.h>
#include <sys/mman.h>

#define PAGES 256
#define PAGE 4096UL

static char *base;
static unsigned char model[PAGES]; /* 0: only reserved */
static uint64_t state = 88172645463325252ULL;

static unsigned below(unsigned limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % limit);
}

static void reserve(unsigned from, unsigned count) {
    void *made = mmap(base + from * PAGE, count * PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    target_check(made == base + from * PAGE, "reserving", 10);
    memset(model + from, 0, count);
}

static void fill(unsigned from, unsigned count, unsigned char byte) {
    for (unsigned i = 0; i < count; i++) {
        memset(base + (from + i) * PAGE, byte, PAGE);
        model[from + i] = byte;
    }
}

/* Over whatever is there. */
static void overlay(unsigned from, unsigned count, unsigned char byte) {
    void *made = mmap64(base + from * PAGE, count * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    target_check(made == base + from * PAGE, "MAP_FIXED", 10);
    fill(from, count, byte);
}

/* Out of the middle, and the hole is reserved again before anyone else can take it. */
static void cut(unsigned from, unsigned count) {
    target_check(munmap(base + from * PAGE, count * PAGE) == 0, "munmap", 10);
    reserve(from, count);
}

/* One page that holds something goes elsewhere, onto whatever is there. */
static void move(unsigned from, unsigned to) {
    if (model[from] == 0 || from == to) {
        return;
    }
    void *made = mremap(base + from * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + to * PAGE);
    target_check(made == base + to * PAGE, "mremap", 10);
    model[to] = model[from];
    reserve(from, 1);
}

/* A mapping of its own grows, moves, shrinks and goes, and keeps its content. */
static void grow_and_shrink(unsigned char byte) {
    size_t size = (1 + below(8)) * PAGE;
    char *own = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    target_check(own != MAP_FAILED, "mmap", 10);
    memset(own, byte, size);
    char *larger = (char *)mremap(own, size, size * 3, MREMAP_MAYMOVE);
    target_check(larger != MAP_FAILED && target_intact(larger, size, byte), "growing", 11);
    char *smaller = (char *)mremap(larger, size * 3, PAGE, 0);
    target_check(smaller == larger && target_intact(smaller, PAGE, byte), "shrinking", 11);
    target_check(munmap(smaller, PAGE) == 0, "munmap", 10);
}

static void file_backed(unsigned char byte) {
    int fd = memfd_create("pages", MFD_CLOEXEC);
    target_check(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0, "memfd_create", 10);
    char *first = (char *)mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *second = (char *)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    target_check(first != MAP_FAILED && second != MAP_FAILED && close(fd) == 0, "mmap of a file", 10);
    memset(first, byte, 4 * PAGE);
    target_check(target_intact(second, PAGE, byte), "shared", 11);
    target_check(munmap(first, 2 * PAGE) == 0 && munmap(second, PAGE) == 0, "munmap", 10);
    target_check(target_intact(first + 2 * PAGE, 2 * PAGE, byte), "the rest", 11);
    target_check(munmap(first, 4 * PAGE) == 0, "munmap of what is partly gone", 10);
}

static void misuse(void) {
    errno = 0;
    target_check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL, "no size", 12);
    target_check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF, "no file", 12);
    target_check(munmap(base + 1, PAGE) == -1 && errno == EINVAL, "not at a page", 12);
    target_check(mremap(base + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL, "not at a page", 12);
    target_check(mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED
                     && errno == EEXIST, "it is taken", 12);
    target_check(mmap(NULL, 1UL << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                     && errno == ENOMEM, "too much", 12);
    errno = 4242;
    void *good = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    target_check(good != MAP_FAILED && munmap(good, PAGE) == 0 && errno == 4242, "errno", 12);
}

static uint64_t check_all(void) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        target_check(model[i] == 0 || target_intact(base + i * PAGE, PAGE, model[i]), "a page has changed", 11);
        sum = sum * 31 + model[i];
    }
    return sum;
}

int main(int argc, char **argv) {
    struct target_options options = {20000, 1, 0, 1};
    target_parse(argc, argv, &options);
    base = (char *)mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    target_check(base != MAP_FAILED, "mmap", 10);
    misuse();
    uint64_t sum = 0;
    for (long i = 0; i < options.objects; i++) {
        unsigned from = below(PAGES), count = 1 + below(16);
        unsigned char byte = (unsigned char)(1 + below(255));
        count = from + count > PAGES ? PAGES - from : count;
        switch (below(6)) {
        case 0:
        case 1:
            overlay(from, count, byte);
            break;
        case 2:
            cut(from, count);
            break;
        case 3:
            move(from, below(PAGES));
            break;
        case 4:
            grow_and_shrink(byte);
            break;
        default:
            file_backed(byte);
            break;
        }
        if (i % 500 == 0) {
            sum ^= check_all();
        }
    }
    sum ^= check_all();
    target_check(munmap(base, PAGES * PAGE) == 0, "munmap", 10);
    printf("mmap_storm: %ld steps, sum %016llx\n", options.objects, (unsigned long long)sum);
    return 0;
}
