/* quiet_plugin: the plugin of leak_dlopen that frees all it takes; its layout differs from leak_plugin's on purpose. */
#include "target.h"

void plugin_quiet(long request, size_t size);

static TARGET_NOINLINE long spread(long request) {
    static const char padding[3000] = {1, 2, 3};
    return padding[(unsigned long)request % sizeof padding] + request;
}

void plugin_quiet(long request, size_t size) {
    char *scratch = (char *)target_touch(malloc(size), size, (int)(spread(request) & 0xff));
    target_traffic(request);
    free(scratch);
}
