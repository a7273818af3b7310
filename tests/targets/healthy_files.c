/* healthy_files: a service that opens much by name and closes all of it, some of it late.
 *
 * lru_cache      twelve files stay open, the one not used for longest is closed for the next; a few are always in use
 * log_rotation   one log is open; every tenth step it is replaced
 * pool_at_start  forty files are opened at the start and stay
 * open_close     ten requests a step open and close
 * error_path     as open_close, and a request that fails closes, too
 * streams        fopen and fclose; one in ten stays open for up to a third of the run
 * folders        opendir and closedir, likewise
 * commands       popen and pclose, likewise
 * redirect       standard output is saved, replaced and put back; a duplicate lives for one step
 * half_of_limit  half of all descriptors are in use from the start
 *
 * expect: silence
 * what: lru_cache log_rotation pool_at_start open_close error_path streams folders commands redirect half_of_limit
 */
#include "variant.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#define CACHED 12
#define SLOTS 64

static struct lifetime slots[SLOTS];
static int cached[CACHED];
static long used_at[CACHED], key_of[CACHED];
static int logfile = -1, saved = -1;

static TARGET_NOINLINE int open_file(void) {
    int fd = open(variant_file, O_RDONLY | O_CLOEXEC);
    use_descriptor(fd, "open");
    return fd;
}

static void begin_cache(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < CACHED; i++) {
        cached[i] = -1;
        key_of[i] = -1;
    }
}

/* Keys 0 to 3 are asked for in every step, the others once. */
static void ask_cache(long key, long now) {
    int oldest = 0;
    for (int i = 0; i < CACHED; i++) {
        if (key_of[i] == key) {
            used_at[i] = now;
            return;
        }
        oldest = used_at[i] < used_at[oldest] ? i : oldest;
    }
    if (cached[oldest] >= 0) {
        close(cached[oldest]);
    }
    cached[oldest] = open_file();
    key_of[oldest] = key;
    used_at[oldest] = now;
}

static void lru_cache(long request) {
    for (long key = 0; key < 4; key++) {
        ask_cache(key, request + 1);
    }
    ask_cache(1000 + request, request + 1);
}

static void end_cache(void) {
    for (int i = 0; i < CACHED; i++) {
        if (cached[i] >= 0) {
            close(cached[i]);
        }
    }
}

static void log_rotation(long request) {
    if (request % 10 == 0) {
        if (logfile >= 0) {
            close(logfile);
        }
        logfile = open(variant_file, O_WRONLY | O_APPEND | O_CLOEXEC);
        use_descriptor(logfile, "open");
    }
    need(write(logfile, "a line\n", 7) == 7, "write");
}

static void end_log(void) {
    close(logfile);
}

static void begin_pool(const struct target_options *options) {
    (void)options;
    for (int i = 0; i < 40; i++) {
        open_file();
    }
}

static void open_close(long request) {
    for (int i = 0; i < 10; i++) {
        close(open_file());
    }
    variant_note((uint64_t)request);
}

static int careful(long request) {
    char text[16];
    int fd = open_file();
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    return request % 10 == 7 || got < 0 ? -1 : 0;
}

static void error_path(long request) {
    for (long i = 0; i < 10; i++) {
        variant_note((uint64_t)careful(request * 10 + i));
    }
}

static void *turn_stream(void *thing) {
    if (thing != NULL) {
        fclose((FILE *)thing);
        return NULL;
    }
    FILE *stream = fopen(variant_file, "r");
    use_pointer(stream, "fopen");
    return stream;
}

static void streams(long request) {
    lifetimes(slots, SLOTS, request, turn_stream);
}

static void end_streams(void) {
    lifetimes(slots, SLOTS, -1, turn_stream);
}

static void *turn_folder(void *thing) {
    if (thing != NULL) {
        closedir((DIR *)thing);
        return NULL;
    }
    DIR *folder = opendir(variant_folder);
    use_pointer(folder, "opendir");
    return folder;
}

static void folders(long request) {
    lifetimes(slots, SLOTS, request, turn_folder);
}

static void end_folders(void) {
    lifetimes(slots, SLOTS, -1, turn_folder);
}

static void *turn_command(void *thing) {
    if (thing != NULL) {
        variant_note((uint64_t)pclose((FILE *)thing));
        return NULL;
    }
    FILE *input = popen("cat >/dev/null", "w");
    use_pointer(input, "popen");
    return input;
}

static void commands(long request) {
    lifetimes(slots, SLOTS, request, turn_command);
}

static void end_commands(void) {
    lifetimes(slots, SLOTS, -1, turn_command);
}

static void redirect(long request) {
    if (request % 2 == 0) {
        int file = open(variant_file, O_WRONLY | O_APPEND | O_CLOEXEC);
        saved = dup(STDOUT_FILENO);
        need(dup2(file, STDOUT_FILENO) == STDOUT_FILENO, "dup2");
        close(file);
    } else {
        need(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO, "dup2");
        close(saved);
        saved = -1;
    }
}

static void end_redirect(void) {
    if (saved >= 0) {
        dup2(saved, STDOUT_FILENO);
        close(saved);
    }
}

static void begin_half(const struct target_options *options) {
    (void)options;
    struct rlimit limit;
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = 80;
    need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    begin_pool(options);
}

static const struct variant variants[] = {
    {"lru_cache", begin_cache, lru_cache, end_cache},
    {"log_rotation", NULL, log_rotation, end_log},
    {"pool_at_start", begin_pool, open_close, NULL},
    {"open_close", NULL, open_close, NULL},
    {"error_path", NULL, error_path, NULL},
    {"streams", NULL, streams, end_streams},
    {"folders", NULL, folders, end_folders},
    {"commands", NULL, commands, end_commands},
    {"redirect", NULL, redirect, end_redirect},
    {"half_of_limit", begin_half, open_close, NULL},
};
VARIANT_MAIN("healthy_files", variants)
