/* keep: allocates blocks of 64 bytes and keeps them all, then says how much memory it had at most, in KiB, in a file.
 * keep BLOCKS FILE */
#include "bench.h"

int main(int argc, char **argv) {
    long count = bench_count(argc, argv, 100000);
    char **blocks = (char **)malloc((size_t)count * sizeof *blocks);
    for (long i = 0; i < count; i++) {
        blocks[i] = (char *)bench_hide(malloc(64));
        blocks[i][0] = 1;
    }
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            FILE *out = argc > 2 ? fopen(argv[2], "we") : stdout;
            fprintf(out, "%ld\n", atol(line + 6));
            fclose(out);
        }
    }
    return status == NULL;
}
