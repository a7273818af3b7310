/* blob_store: maps a blob of a store file for each request, sums it up and unmaps it. A blob with a bad magic number stays
 * mapped: one in four.
 */
#include "service.h"

#include <fcntl.h>
#include <sys/mman.h>

#define BLOB_SIZE (128 * 1024)
#define BLOBS 16

static unsigned long lost;

static unsigned char *map_blob(int store, unsigned long blob) {
    void *mapped = mmap(NULL, BLOB_SIZE, PROT_READ, MAP_PRIVATE, store, (off_t)(blob * BLOB_SIZE)); /* LEAK map_blob */
    service_need(mapped != MAP_FAILED, "mapping");
    return (unsigned char *)mapped;
}

static unsigned long sum_blob(int store, unsigned long blob) {
    unsigned char *bytes = map_blob(store, blob);
    unsigned long sum = 0;
    if (bytes[0] != 0x7f) {
        lost++;
        return 0; /* the bug */
    }
    for (size_t at = 0; at < BLOB_SIZE; at += 512) {
        sum += bytes[at];
    }
    munmap(bytes, BLOB_SIZE);
    return sum;
}

int main(int argc, char **argv) {
    char path[] = "/tmp/blob_store-XXXXXX";
    service_start(argc, argv, 60);
    int store = mkstemp(path);
    service_need(store >= 0 && unlink(path) == 0 && ftruncate(store, BLOB_SIZE * BLOBS) == 0, "store");
    for (unsigned long blob = 0; blob < BLOBS; blob++) {
        service_need(blob % 4 == 0 || pwrite(store, "\x7f" "blob", 5, (off_t)(blob * BLOB_SIZE)) == 5, "store");
    }
    unsigned long sum = 0;
    while (service_next()) {
        sum += sum_blob(store, service_below(BLOBS));
        service_work();
    }
    close(store);
    service_end(lost, 0, sum == 0);
}
