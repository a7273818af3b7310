/* leak_mappings: a service that forgets what it mapped.
 *
 * keep_mapping       anonymous memory of 64 KiB for each request, written
 * keep_file_mapping  a file for each request; its descriptor is closed
 * load_plugin        a plugin of its own for each request, copied from quiet_plugin.so and never closed
 *
 * expect: leak keep_mapping keep_file_mapping load_plugin
 * kind: keep_mapping mmap-not-unmapped
 * kind: keep_file_mapping mmap-not-unmapped
 * kind: load_plugin dlopen-growth
 * also: load_plugin heap-growth heap-unreachable
 */
#include "variant.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

static TARGET_NOINLINE void keep_mapping(long request) {
    size_t size = 16 * (size_t)variant_options.size;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* LEAK */
    need(memory != MAP_FAILED, "mmap");
    target_touch(memory, size, (int)(request & 0xff));
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_file_mapping(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC);
    use_descriptor(fd, "open");
    char *text = (char *)mmap(NULL, sizeof VARIANT_TEXT - 1, PROT_READ, MAP_PRIVATE, fd, 0); /* LEAK */
    need(text != MAP_FAILED && text[0] == VARIANT_TEXT[0], "mmap");
    close(fd);
    variant_note((uint64_t)request);
}

static void copy(const char *from, const char *to) {
    char block[4096];
    ssize_t got;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    need(in >= 0 && out >= 0, from);
    while ((got = read(in, block, sizeof block)) > 0) {
        need(write(out, block, (size_t)got) == got, to);
    }
    close(in);
    close(out);
}

static TARGET_NOINLINE void load_plugin(long request) {
    char plugin[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", plugin, sizeof plugin - 20);
    need(length > 0, "readlink");
    plugin[length] = '\0';
    strcpy(strrchr(plugin, '/'), "/quiet_plugin.so");
    const char *path = variant_path(request, NULL);
    copy(plugin, path);
    void *loaded = dlopen(path, RTLD_NOW); /* LEAK */
    use_pointer(loaded, "dlopen");
    unlink(path);
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"keep_mapping", NULL, keep_mapping, NULL},
    {"keep_file_mapping", NULL, keep_file_mapping, NULL},
    {"load_plugin", NULL, load_plugin, NULL},
};
VARIANT_MAIN("leak_mappings", variants)
