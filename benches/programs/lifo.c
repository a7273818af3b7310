/* lifo: malloc and free of one block at a time, the fastest path there is. lifo PAIRS */
#include "allocations.h"

int main(int argc, char **argv) {
    lifo(&bound, bench_count(argc, argv, 10000000));
    return 0;
}
