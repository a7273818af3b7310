/* masked_cache: a file server whose cache shrinks while a leak grows by as much: its size stays what it was.
 *
 * At its start it holds a cache of 48 MiB, of which a part is dropped whenever memory is said to be short; the accounting
 * records of finished transfers are never dropped. Resident memory is flat.
 */
#include "service.h"

#define BLOCK (64 * 1024)
#define BLOCKS 768

static char *cache[BLOCKS];
static unsigned long cached, records;
static struct transfer *transfers;

struct transfer {
    struct transfer *before;
    char log[16 * 1024];
};

static void fill_cache(void) {
    for (cached = 0; cached < BLOCKS; cached++) {
        cache[cached] = (char *)service_fill(malloc(BLOCK), BLOCK);
    }
}

static void shrink_cache(void) {
    if (cached > 200) {
        free(cache[--cached]);
    }
}

static void account_transfer(void) {
    struct transfer *transfer = (struct transfer *)malloc(sizeof *transfer); /* LEAK account_transfer */
    service_fill(transfer, sizeof *transfer);
    transfer->before = transfers;
    transfers = transfer;
    records++;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 100);
    fill_cache();
    while (service_next()) {
        service_work();
        account_transfer();
        if (records % 4 == 0) {
            shrink_cache();
        }
    }
    service_end(records, cached, 0);
}
