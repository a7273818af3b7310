/* healthy_mappings: memory and libraries that are mapped, and given back or used again.
 *
 * per_request       mapped, written and unmapped
 * arena_ring        a ring of eight arenas; in each step the oldest is unmapped and a new one mapped
 * arenas_at_start   twenty from the start, written again and again
 * growing_mapping   one, made larger by mremap in each step of the first half
 * in_two_halves     mapped at once, unmapped in two calls
 * plugins_at_start  three plugins, loaded at the start
 * plugin_churn      a plugin is loaded and closed with each request
 *
 * expect: silence
 * what: per_request arena_ring arenas_at_start growing_mapping in_two_halves plugins_at_start plugin_churn
 */
#include "variant.h"

#include <dlfcn.h>
#include <limits.h>
#include <sys/mman.h>

#define RING 8
#define START 20
#define PAGES (16 * 4096UL)

static char *arenas[START];
static char *growing;
static size_t grown;
static char plugin[PATH_MAX];

static char *map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    return (char *)target_touch(memory, size, 7);
}

static void per_request(long request) {
    need(munmap(map(PAGES), PAGES) == 0, "munmap");
    variant_note((uint64_t)request);
}

static void arena_ring(long request) {
    char **slot = &arenas[request % RING];
    if (*slot != NULL) {
        need(munmap(*slot, PAGES) == 0, "munmap");
    }
    *slot = map(PAGES);
    variant_note((uint64_t)request);
}

static void end_ring(void) {
    for (int i = 0; i < RING; i++) {
        if (arenas[i] != NULL) {
            munmap(arenas[i], PAGES);
        }
    }
}

static void begin_arenas(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < START; i++) {
        arenas[i] = map(PAGES);
    }
}

static void arenas_at_start(long request) {
    target_touch(arenas[request % START], PAGES, (int)(request & 0xff));
    variant_note((uint64_t)request);
}

static void growing_mapping(long request) {
    if (growing == NULL) {
        growing = map(PAGES);
        grown = PAGES;
    } else if (request < variant_options.objects / 2) {
        void *moved = mremap(growing, grown, grown + PAGES, MREMAP_MAYMOVE);
        need(moved != MAP_FAILED, "mremap");
        growing = (char *)moved;
        grown += PAGES;
        growing[grown - 1] = 1;
    }
    variant_note(grown);
}

static void end_growing(void) {
    if (growing != NULL) {
        munmap(growing, grown);
    }
}

static void in_two_halves(long request) {
    char *memory = map(PAGES);
    need(munmap(memory + PAGES / 2, PAGES / 2) == 0 && munmap(memory, PAGES / 2) == 0, "munmap");
    variant_note((uint64_t)request);
}

static const char *beside(const char *name) {
    ssize_t length = readlink("/proc/self/exe", plugin, sizeof plugin - 32);
    need(length > 0, "readlink");
    plugin[length] = '\0';
    strcpy(strrchr(plugin, '/') + 1, name);
    return plugin;
}

static void begin_plugins(const struct target_options *options) {
    static const char *const names[] = {"quiet_plugin.so", "leak_plugin.so", "libearly.so"};
    (void)options;
    for (int i = 0; i < 3; i++) {
        use_pointer(dlopen(beside(names[i]), RTLD_NOW), names[i]);
    }
}

static void plugin_churn(long request) {
    void *loaded = dlopen(beside("quiet_plugin.so"), RTLD_NOW);
    use_pointer(loaded, "dlopen");
    need(dlclose(loaded) == 0, "dlclose");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"per_request", NULL, per_request, NULL},
    {"arena_ring", NULL, arena_ring, end_ring},
    {"arenas_at_start", begin_arenas, arenas_at_start, NULL},
    {"growing_mapping", NULL, growing_mapping, end_growing},
    {"in_two_halves", NULL, in_two_halves, NULL},
    {"plugins_at_start", begin_plugins, per_request, NULL},
    {"plugin_churn", NULL, plugin_churn, NULL},
};
VARIANT_MAIN("healthy_mappings", variants)
