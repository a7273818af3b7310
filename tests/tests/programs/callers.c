/* callers: three callers of one wrapper, at the same depth, take turns, each for ten blocks, which they forget. callers TURNS */
#include <stdlib.h>

__attribute__((noinline, noclone)) static void *get(size_t bytes) {
    void *block = malloc(bytes);
    if (!block) {
        abort();
    }
    return block;
}

/* Different sizes, or the compiler would make one function of the three. */
#define CALLER(name, bytes)                                                                                                       \
    __attribute__((noinline, noclone)) static void by_##name(void) {                                                              \
        void *volatile block = get(bytes);                                                                                        \
        (void)block;                                                                                                              \
    }
CALLER(one, 101)
CALLER(two, 102)
CALLER(three, 103)

static void (*const callers[])(void) = {by_one, by_two, by_three};

int main(int argc, char **argv) {
    const long turns = argc > 1 ? atol(argv[1]) : 10;
    for (long turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
            for (int n = 0; n < 10; n++) {
                callers[i]();
            }
        }
    }
    return 0;
}
