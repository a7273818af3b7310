/* regex_filter: a mail filter that compiles its users' patterns anew for each message.
 *
 * regcomp() allocates; the filter never calls regfree(). FIXED does.
 */
#include "service.h"

#include <regex.h>

static unsigned long forgotten;

static int match_rule(const char *rule, const char *subject) {
    regex_t compiled;
    if (regcomp(&compiled, rule, REG_EXTENDED | REG_NOSUB) != 0) { /* LEAK match_rule */
        return 0;
    }
    int matches = regexec(&compiled, subject, 0, NULL, 0) == 0;
#ifdef FIXED
    regfree(&compiled);
#else
    forgotten++;
#endif
    return matches;
}

int main(int argc, char **argv) {
    static const char *rules[] = {"^\\[list\\]", "invoice +[0-9]{4}", "(sale|offer)s? today", "^re: .*minutes$"};
    service_start(argc, argv, 40);
    unsigned long kept = 0;
    while (service_next()) {
        char subject[80];
        snprintf(subject, sizeof subject, "invoice %lu for you", service_below(20000));
        for (size_t rule = 0; rule < sizeof rules / sizeof rules[0]; rule++) {
            kept += (unsigned long)match_rule(rules[rule], subject);
        }
        service_work();
    }
    fprintf(stderr, "%lu matches\n", kept);
    service_end(forgotten, 0, 0);
}
