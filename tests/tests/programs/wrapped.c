/* wrapped: all memory comes from one place, as from `operator new`, which a hundred callers reach at the same depth.
 * wrapped ROUNDS; a round is one block of each caller */
#include <stdlib.h>

__attribute__((noinline)) static void *get(size_t bytes) {
    void *block = malloc(bytes);
    if (!block) {
        abort();
    }
    return block;
}

#define CALLER(name)                                                                                                              \
    __attribute__((noinline, noclone)) static void caller_##name(void) {                                                          \
        void *volatile block = get(1##name);                                                                                      \
        free(block);                                                                                                              \
    }
#define NAME(name) caller_##name,
#define TEN(of, ten) of(ten##0) of(ten##1) of(ten##2) of(ten##3) of(ten##4) of(ten##5) of(ten##6) of(ten##7) of(ten##8) of(ten##9)
#define HUNDRED(of)                                                                                                               \
    TEN(of, 0) TEN(of, 1) TEN(of, 2) TEN(of, 3) TEN(of, 4) TEN(of, 5) TEN(of, 6) TEN(of, 7) TEN(of, 8) TEN(of, 9)

HUNDRED(CALLER)

static void (*const callers[])(void) = {HUNDRED(NAME)};

int main(int argc, char **argv) {
    const long rounds = argc > 1 ? atol(argv[1]) : 1000;
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
            callers[i]();
        }
    }
    return 0;
}
