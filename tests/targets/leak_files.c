/* leak_files: a service that forgets what it opened by name, and duplicates of it.
 *
 * fill_table does so until the process has hardly a descriptor left.
 *
 * expect: leak keep_file keep_temporary lose_on_error keep_duplicate keep_duplicate_above fill_table
 * kind: keep_file file-not-closed
 * kind: keep_temporary file-not-closed
 * kind: lose_on_error file-error-path
 * kind: keep_duplicate dup-not-closed
 * kind: keep_duplicate_above dup-not-closed
 * kind: fill_table fd-limit-near
 * also: fill_table file-not-closed
 */
#include "variant.h"

#include <fcntl.h>
#include <sys/resource.h>

static int original = -1;

static void open_and_close(void) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC);
    use_descriptor(fd, "open");
    close(fd);
}

static TARGET_NOINLINE void keep_file(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC); /* LEAK */
    use_descriptor(fd, "open");
    open_and_close();
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_temporary(long request) {
    char name[128];
    snprintf(name, sizeof name, "%s/temporary-XXXXXX", variant_folder);
    int fd = mkstemp(name); /* LEAK */
    use_descriptor(fd, "mkstemp");
    unlink(name);
    variant_note((uint64_t)request);
}

/* Ten requests in each step; one of them fails, and the failing path returns without closing. */
static TARGET_NOINLINE int lose_on_error(long request) {
    char text[16];
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC); /* LEAK */
    use_descriptor(fd, "open");
    if (read(fd, text, sizeof text) != (ssize_t)sizeof text || request % 10 == 7) {
        return -1; /* the bug: fd is not closed */
    }
    close(fd);
    return 0;
}

static void lose_on_error_step(long request) {
    long failed = 0;
    for (long i = 0; i < 10; i++) {
        failed += lose_on_error(request * 10 + i) != 0;
    }
    variant_note((uint64_t)failed);
}

static void open_original(const struct target_options *options) {
    (void)options;
    original = open(variant_file, O_RDONLY | O_CLOEXEC);
    use_descriptor(original, "open");
}

static TARGET_NOINLINE void keep_duplicate(long request) {
    int fd = dup(original); /* LEAK */
    use_descriptor(fd, "dup");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void keep_duplicate_above(long request) {
    int fd = fcntl(original, F_DUPFD_CLOEXEC, 10); /* LEAK */
    use_descriptor(fd, "fcntl");
    variant_note((uint64_t)request);
}

/* The limit is a little more than what the run will open. */
static void lower_limit(const struct target_options *options) {
    struct rlimit limit;
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = (rlim_t)options->objects + 10;
    need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

static TARGET_NOINLINE void fill_table(long request) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC); /* LEAK */
    use_descriptor(fd, "open");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"keep_file", NULL, keep_file, NULL},
    {"keep_temporary", NULL, keep_temporary, NULL},
    {"lose_on_error", NULL, lose_on_error_step, NULL},
    {"keep_duplicate", open_original, keep_duplicate, NULL},
    {"keep_duplicate_above", open_original, keep_duplicate_above, NULL},
    {"fill_table", lower_limit, fill_table, NULL},
};
VARIANT_MAIN("leak_files", variants)
