/* cpp_host: a program in C that loads cpp_plugin for itself alone (RTLD_LOCAL), and says which of an allocator's names everyone
 * can find.
 *
 * expect: exit 0
 */
#include "target.h"

#include <dlfcn.h>

int main(void) {
    char path[4096] = {0};
    target_check(readlink("/proc/self/exe", path, sizeof path - 32) > 0, "readlink", 3);
    strcpy(strrchr(path, '/'), "/cpp_plugin.so");
    printf("cpp_host: mallocx %d, operator new %d\n", dlsym(RTLD_DEFAULT, "mallocx") != NULL,
           dlsym(RTLD_DEFAULT, "_Znwm") != NULL);
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    target_check(plugin != NULL, "dlopen", 4);
    int (*run)(long) = (int (*)(long))dlsym(plugin, "cpp_plugin_run");
    target_check(run != NULL, "dlsym", 5);
    printf("cpp_host: %d exceptions\n", run(100));
    dlclose(plugin);
    return 0;
}
