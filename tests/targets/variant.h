/* variant.h: programs with several variants of one behaviour, chosen by --what NAME; all else as in target.h.
 *
 * In a leaking program a variant is called like the function that leaks. The header comment of a source says, one a line:
 *   expect: leak FUNCTION...       or: expect: silence
 *   kind: FUNCTION KIND[|KIND...]  what its leak is reported as; any of these
 *   also: FUNCTION KIND...         what may be reported beside it, anywhere
 *   what: NAME...                  the variants of a healthy program
 *
 * A variant has a beginning, --objects steps spread over --seconds, and an end. It is done by then with everything but
 * what it leaks, and says so in one line: the program, the variant, its steps, and a sum that is the same on every run.
 */
#ifndef VARIANT_H
#define VARIANT_H

#include "target.h"

#include <sys/stat.h>
#include <sys/types.h>

struct variant {
    const char *name;
    void (*begin)(const struct target_options *options);
    void (*step)(long request);
    void (*end)(void);
};

/* The options of this run, a folder for its files, which is empty again at the end, and a small file in it. */
static struct target_options variant_options = {60, 4096, 8, 1};
static char variant_folder[64], variant_file[96];
static uint64_t variant_sum = 14695981039346656037ULL;

#define VARIANT_TEXT "a file of forty bytes for all variants..\n"

/* Ends the program with 3 when the system refuses something. */
__attribute__((unused)) static void need(int holds, const char *what) {
    target_check(holds, what, 3);
}

/* Takes a value into the sum. */
__attribute__((unused)) static void variant_note(uint64_t value) {
    variant_sum = (variant_sum ^ value) * 1099511628211ULL;
}

/* Uses a descriptor as a program would, and keeps the call that made it from being the last in its function. */
__attribute__((unused)) static TARGET_NOINLINE void use_descriptor(int fd, const char *what) {
    struct stat about;
    need(fd >= 0 && fstat(fd, &about) == 0, what);
    variant_note((uint64_t)(about.st_mode & S_IFMT));
}

/* Uses a pointer likewise. */
__attribute__((unused)) static TARGET_NOINLINE void use_pointer(void *pointer, const char *what) {
    need(pointer != NULL, what);
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    variant_note(1);
}

/* A file of the run's own, by number; made if `text` is not null, else removed. */
__attribute__((unused)) static const char *variant_path(long number, const char *text) {
    static __thread char path[128];
    snprintf(path, sizeof path, "%s/%ld", variant_folder, number);
    if (text != NULL) {
        FILE *file = fopen(path, "w");
        need(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "a file cannot be written");
    } else {
        unlink(path);
    }
    return path;
}

/* A number that looks random and is the same on every run. */
__attribute__((unused)) static unsigned variant_random(unsigned below) {
    static __thread uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % below);
}

/* A slot for things that live for different times. The step at which one is due is drawn when it is taken: most live for
 * a few steps, one in ten for up to a third of the run. */
struct lifetime {
    void *thing;
    long due;
};

__attribute__((unused)) static long lifetime_due(long request) {
    long third = variant_options.objects / 3 + 1;
    return request + 1 + (variant_random(10) == 0 ? variant_random((unsigned)third) : variant_random(4));
}

/* Runs `turn` for every slot whose thing is due, and for the first free slot, once a step: it gives back a thing that it
 * is handed, or takes a new one. At step -1 everything is due. */
__attribute__((unused)) static void lifetimes(struct lifetime *slots, int count, long request, void *(*turn)(void *)) {
    int taken = request < 0;
    for (int i = 0; i < count; i++) {
        if (slots[i].thing != NULL && (request < 0 || slots[i].due <= request)) {
            slots[i].thing = turn(slots[i].thing);
        }
        if (slots[i].thing == NULL && !taken) {
            slots[i].thing = turn(NULL);
            slots[i].due = lifetime_due(request);
            taken = 1;
        }
    }
}

static void variant_clean(void) {
    unlink(variant_file);
    rmdir(variant_folder);
}

__attribute__((unused)) static int variant_main(int argc, char **argv, const char *program,
                                                const struct variant *variants, int count) {
    const struct variant *chosen = NULL;
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--what") == 0 && i + 1 < argc) {
            i++;
            for (int n = 0; n < count; n++) {
                chosen = strcmp(variants[n].name, argv[i]) == 0 ? &variants[n] : chosen;
            }
        } else {
            argv[kept++] = argv[i];
        }
    }
    if (chosen == NULL) {
        fprintf(stderr, "%s: say --what NAME, one of:", program);
        for (int n = 0; n < count; n++) {
            fprintf(stderr, " %s", variants[n].name);
        }
        fputc('\n', stderr);
        return 2;
    }
    target_parse(kept, argv, &variant_options);
    snprintf(variant_folder, sizeof variant_folder, "/tmp/memguard-target-XXXXXX");
    need(mkdtemp(variant_folder) != NULL, "no folder");
    snprintf(variant_file, sizeof variant_file, "%s/file", variant_folder);
    FILE *file = fopen(variant_file, "w");
    need(file != NULL && fputs(VARIANT_TEXT, file) >= 0 && fclose(file) == 0, "a file cannot be written");

    if (chosen->begin != NULL) {
        chosen->begin(&variant_options);
    }
    double start = target_now();
    for (long request = 0; request < variant_options.objects; request++) {
        target_traffic(request);
        chosen->step(request);
        target_pace(start, request + 1, variant_options.objects, variant_options.seconds);
    }
    if (chosen->end != NULL) {
        chosen->end();
    }
    variant_clean();
    printf("%s: %s, %ld steps, sum %016llx\n", program, chosen->name, variant_options.objects,
           (unsigned long long)variant_sum);
    return 0;
}

#define VARIANT_MAIN(program, variants) \
    int main(int argc, char **argv) { \
        return variant_main(argc, argv, program, variants, (int)(sizeof variants / sizeof variants[0])); \
    }

#endif
