/* wrapped: all memory comes from one place, as from `operator new`, which many callers reach at the same depth. wrapped ROUNDS */
#include <stdlib.h>

__attribute__((noinline)) static void *get(size_t bytes) {
    void *block = malloc(bytes);
    if (!block) {
        abort();
    }
    return block;
}

#define CALLER(name, bytes)                                                                                                      \
    __attribute__((noinline)) static void name(void) {                                                                           \
        void *volatile block = get(bytes);                                                                                       \
        free(block);                                                                                                             \
    }

CALLER(customer, 24)
CALLER(order, 40)
CALLER(line, 56)
CALLER(price, 72)

int main(int argc, char **argv) {
    const long rounds = argc > 1 ? atol(argv[1]) : 1000;
    for (long round = 0; round < rounds; round++) {
        customer();
        order();
        line();
        price();
    }
    return 0;
}
