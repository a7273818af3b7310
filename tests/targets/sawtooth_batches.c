/* sawtooth_batches: collects --objects items, hands the whole batch over, frees it, begins again; eight batches a run.
 *
 * A near miss: memory climbs steadily for an eighth of the run, and then falls back to nothing. The run ends in the
 * middle of a ninth batch, all of which is alive.
 *
 * expect: silence
 */
#include "target.h"

static TARGET_NOINLINE char *collect(long item, size_t size) {
    return (char *)target_touch(malloc(size), size, (int)(item & 0xff));
}

static TARGET_NOINLINE void hand_over(char **batch, long count) {
    for (long i = 0; i < count; i++) {
        free(batch[i]);
        batch[i] = NULL;
    }
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    long capacity = options.objects > 0 ? options.objects : 1;
    char **batch = (char **)calloc((size_t)capacity, sizeof *batch);
    long steps = 8 * capacity + capacity / 2;
    double start = target_now();
    for (long i = 0; i < steps; i++) {
        batch[i % capacity] = collect(i, (size_t)options.size);
        target_traffic(i);
        if (i % capacity == capacity - 1) {
            hand_over(batch, capacity);
        }
        target_pace(start, i + 1, steps, options.seconds);
    }
    hand_over(batch, capacity);
    free(batch);
    printf("sawtooth_batches: 8 batches of %ld\n", capacity);
    return 0;
}
