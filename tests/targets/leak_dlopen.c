/* leak_dlopen: a host that opens and closes its plugins again and again; one plugin leaks, the other does not.
 *
 * The two plugins are opened in turn, ten objects each time, so the addresses of a closed plugin are reused by the
 * other one: a report that resolves an address by where it lies now, not by what lay there then, blames the wrong
 * plugin. The plugins are looked for beside the program. expect: and the file of the leak is leak_plugin.c.
 *
 * expect: leak plugin_handle
 */
#include "target.h"

#include <dlfcn.h>
#include <limits.h>

typedef void (*handle_fn)(long request, size_t size);

static char directory[PATH_MAX];

static void find_own_directory(void) {
    ssize_t length = readlink("/proc/self/exe", directory, sizeof directory - 1);
    target_check(length > 0, "readlink /proc/self/exe", 3);
    directory[length] = '\0';
    *strrchr(directory, '/') = '\0';
}

/* Opens the plugin, lets it handle `count` requests, closes it. */
static TARGET_NOINLINE void use_plugin(const char *name, long request, long count, size_t size) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) {
        fprintf(stderr, "leak_dlopen: %s\n", dlerror());
        exit(3);
    }
    handle_fn handle;
    *(void **)&handle = dlsym(plugin, "plugin_handle");
    if (handle == NULL) {
        *(void **)&handle = dlsym(plugin, "plugin_quiet");
    }
    target_check(handle != NULL, "dlsym", 3);
    for (long i = 0; i < count; i++) {
        handle(request + i, size);
    }
    dlclose(plugin);
}

int main(int argc, char **argv) {
    struct target_options options = {300, 4096, 3, 1};
    target_parse(argc, argv, &options);
    find_own_directory();
    double start = target_now();
    for (long request = 0; request < options.objects; request += 10) {
        long count = options.objects - request < 10 ? options.objects - request : 10;
        use_plugin("leak_plugin.so", request, count, (size_t)options.size);
        use_plugin("quiet_plugin.so", request, count, (size_t)options.size);
        target_pace(start, request + count, options.objects, options.seconds);
    }
    printf("leak_dlopen: %ld objects forgotten by a plugin\n", options.objects);
    return 0;
}
