/* cpp_plugin: as a library, a plugin in C++ that brings its own C++ library (-static-libstdc++): it takes and gives back, and
 * catches what an absurd size throws.
 *
 * expect: exit 0
 */
#include "target.h"

#include <new>
#include <string>
#include <vector>

extern "C" int cpp_plugin_run(long rounds);

int cpp_plugin_run(long rounds) {
    volatile size_t absurd = SIZE_MAX / 4;
    int thrown = 0;
    for (long i = 0; i < rounds; i++) {
        std::vector<std::string> words(8, std::string(100, 'x'));
        words.emplace_back(200, 'y');
        try {
            target_touch(::operator new(absurd), 1, 1);
        } catch (const std::bad_alloc &) {
            thrown++;
        }
    }
    return thrown;
}
