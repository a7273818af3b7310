/* lru_pinned: an LRU cache of pages whose readers pin what they use.
 *
 * Eviction takes the oldest page that nobody has pinned. One reader in twenty-five meets a checksum error and returns without
 * unpinning: that page can never be evicted again. Capacity counts unpinned pages only, so the cache grows by what is stuck.
 * FIXED unpins on every path.
 */
#include "service.h"

#define CAPACITY 150
#define KEYS 100000

struct page {
    struct page *newer, *older;
    unsigned long key;
    int pins;
    char data[800];
};

static struct page ring = {&ring, &ring, 0, 0, ""};
static struct page *index_of[KEYS];
static unsigned long unpinned, stuck;

static void unlink_page(struct page *page) {
    page->newer->older = page->older;
    page->older->newer = page->newer;
}

static void link_newest(struct page *page) {
    page->older = &ring;
    page->newer = ring.newer;
    ring.newer->older = page;
    ring.newer = page;
}

static struct page *load_page(unsigned long key) {
    struct page *page = (struct page *)malloc(sizeof *page); /* LEAK load_page */
    service_fill(page, sizeof *page);
    page->key = key;
    page->pins = 0;
    index_of[key] = page;
    link_newest(page);
    unpinned++;
    return page;
}

static void evict(void) {
    /* ring.older is the oldest end: the list runs from ring.newer (newest) over ->newer to the oldest. */
    for (struct page *page = ring.older; unpinned > CAPACITY && page != &ring;) {
        struct page *next = page->older;
        if (page->pins == 0) {
            unlink_page(page);
            index_of[page->key] = NULL;
            free(page);
            unpinned--;
        }
        page = next;
    }
}

static int read_page(unsigned long key, int damaged) {
    struct page *page = index_of[key] != NULL ? index_of[key] : load_page(key);
    if (page->pins++ == 0) {
        unpinned--;
    }
    unlink_page(page);
    link_newest(page);
#ifndef FIXED
    if (damaged) {
        stuck += page->pins == 1;
        return -1; /* the bug: still pinned */
    }
#endif
    if (--page->pins == 0) {
        unpinned++;
    }
    return damaged ? -1 : 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 400);
    while (service_next()) {
        read_page(service_below(KEYS), service_uniform() < 0.04);
        evict();
        service_work();
    }
    service_end(stuck, unpinned, 0);
}
