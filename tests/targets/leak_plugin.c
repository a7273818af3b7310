/* leak_plugin: the plugin of leak_dlopen that forgets one buffer per request. */
#include "target.h"

TARGET_NOINLINE void plugin_handle(long request, size_t size);

void plugin_handle(long request, size_t size) {
    char *state = (char *)malloc(size); /* LEAK */
    target_touch(state, size, (int)(request & 0xff));
    target_traffic(request);
}
