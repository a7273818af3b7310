/* leak_streams: a service that forgets streams, folders and pipes to commands.
 *
 * expect: leak keep_stream keep_adopted_stream keep_folder keep_command
 * kind: keep_stream stream-not-closed
 * also: keep_stream heap-growth heap-unreachable
 * kind: keep_adopted_stream stream-not-closed
 * also: keep_adopted_stream heap-growth heap-unreachable
 * kind: keep_folder dir-not-closed
 * also: keep_folder heap-growth heap-unreachable
 * kind: keep_command popen-not-closed
 * also: keep_command heap-growth heap-unreachable zombie-not-reaped
 */
#include "variant.h"

#include <dirent.h>
#include <fcntl.h>

static TARGET_NOINLINE void keep_stream(long request) {
    char line[64];
    FILE *stream = fopen(variant_file, "r"); /* LEAK */
    use_pointer(stream, "fopen");
    need(fgets(line, sizeof line, stream) != NULL, "fgets");
    variant_note((uint64_t)request + strlen(line));
}

static TARGET_NOINLINE void keep_adopted_stream(long request) {
    FILE *stream = fdopen(open(variant_file, O_RDONLY | O_CLOEXEC), "r"); /* LEAK */
    use_pointer(stream, "fdopen");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_folder(long request) {
    DIR *folder = opendir(variant_folder); /* LEAK */
    use_pointer(folder, "opendir");
    need(readdir(folder) != NULL, "readdir");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_command(long request) {
    char line[64];
    FILE *output = popen("echo words", "r"); /* LEAK */
    use_pointer(output, "popen");
    need(fgets(line, sizeof line, output) != NULL, "the command says nothing");
    variant_note((uint64_t)request + strlen(line));
}

static const struct variant variants[] = {
    {"keep_stream", NULL, keep_stream, NULL},
    {"keep_adopted_stream", NULL, keep_adopted_stream, NULL},
    {"keep_folder", NULL, keep_folder, NULL},
    {"keep_command", NULL, keep_command, NULL},
};
VARIANT_MAIN("leak_streams", variants)
