/* operators: forgets --objects blocks of --size bytes through each operator new, one function each, and takes as many again
 * that it gives back: through the plain, the sized and the nothrow delete, through free where the allocator allows that, and
 * with an exception thrown by every absurd size. Linked against the C++ library's operators, jemalloc's, tcmalloc's and
 * mimalloc's.
 *
 * With -DHEALTHY it forgets nothing.
 *
 * expect: leak by_new by_new_array by_new_nothrow by_new_array_nothrow by_new_aligned by_new_array_aligned by_new_aligned_nothrow by_new_array_aligned_nothrow
 */
#include "target.h"

#include <new>

static const std::align_val_t alignment{256};

#ifdef HEALTHY
#define FORGET(block, give_back) give_back(block)
#else
#define FORGET(block, give_back) (void)(block)
#endif

static TARGET_NOINLINE void by_new(size_t size) {
    void *kept = target_touch(::operator new(size), size, 1); /* LEAK */
    FORGET(kept, free);
    ::operator delete(target_touch(::operator new(size), size, 1));
}

static TARGET_NOINLINE void by_new_array(size_t size) {
    void *kept = target_touch(::operator new[](size), size, 1); /* LEAK */
    FORGET(kept, ::operator delete[]);
    ::operator delete[](target_touch(::operator new[](size), size, 1), size);
}

static TARGET_NOINLINE void by_new_nothrow(size_t size) {
    void *kept = target_touch(::operator new(size, std::nothrow), size, 1); /* LEAK */
    FORGET(kept, ::operator delete);
    ::operator delete(target_touch(::operator new(size, std::nothrow), size, 1), size);
}

static TARGET_NOINLINE void by_new_array_nothrow(size_t size) {
    void *kept = target_touch(::operator new[](size, std::nothrow), size, 1); /* LEAK */
    FORGET(kept, ::operator delete[]);
    ::operator delete[](target_touch(::operator new[](size, std::nothrow), size, 1), std::nothrow);
}

static void delete_aligned(void *block) {
    ::operator delete(block, alignment);
}

static void delete_array_aligned(void *block) {
    ::operator delete[](block, alignment);
}

static TARGET_NOINLINE void by_new_aligned(size_t size) {
    void *kept = target_touch(::operator new(size, alignment), size, 1); /* LEAK */
    FORGET(kept, delete_aligned);
    ::operator delete(target_touch(::operator new(size, alignment), size, 1), size, alignment);
}

static TARGET_NOINLINE void by_new_array_aligned(size_t size) {
    void *kept = target_touch(::operator new[](size, alignment), size, 1); /* LEAK */
    FORGET(kept, delete_array_aligned);
    ::operator delete[](target_touch(::operator new[](size, alignment), size, 1), size, alignment);
}

static TARGET_NOINLINE void by_new_aligned_nothrow(size_t size) {
    void *kept = target_touch(::operator new(size, alignment, std::nothrow), size, 1); /* LEAK */
    FORGET(kept, delete_aligned);
    void *other = target_touch(::operator new(size, alignment, std::nothrow), size, 1);
    ::operator delete(other, alignment, std::nothrow);
}

static TARGET_NOINLINE void by_new_array_aligned_nothrow(size_t size) {
    void *kept = target_touch(::operator new[](size, alignment, std::nothrow), size, 1); /* LEAK */
    FORGET(kept, delete_array_aligned);
    void *other = target_touch(::operator new[](size, alignment, std::nothrow), size, 1);
    ::operator delete[](other, alignment, std::nothrow);
}

/* mimalloc's operators, built as C, end the program instead of throwing. */
static TARGET_NOINLINE int throws() {
#ifdef NEVER_THROWS
    return 1;
#else
    volatile size_t absurd = SIZE_MAX / 4;
    try {
        target_touch(::operator new(absurd), 1, 1);
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
#endif
}

int main(int argc, char **argv) {
    struct target_options options = {300, 2000, 3, 1};
    target_parse(argc, argv, &options);
    double start = target_now();
    long thrown = 0;
    for (long i = 0; i < options.objects; i++) {
        target_pace(start, i, options.objects, options.seconds);
        size_t size = (size_t)options.size;
        by_new(size);
        by_new_array(size);
        by_new_nothrow(size);
        by_new_array_nothrow(size);
        by_new_aligned(size);
        by_new_array_aligned(size);
        by_new_aligned_nothrow(size);
        by_new_array_aligned_nothrow(size);
        thrown += throws();
    }
    printf("operators: %ld rounds, %ld exceptions\n", options.objects, thrown);
    return thrown == options.objects ? 0 : 1;
}
