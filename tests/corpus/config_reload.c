/* config_reload: a gateway whose rules are reloaded when their file changes: the new set is built, then the old one dropped.
 *
 * Healthy: each of the seven reloads allocates as many rules as the one before frees. The last is a fifth before the end.
 */
#include "service.h"

#define RULES 120

struct rules {
    char *rule[RULES];
};

static struct rules *load_rules(unsigned long version) {
    struct rules *rules = (struct rules *)malloc(sizeof *rules);
    service_need(rules != NULL, "memory");
    for (int i = 0; i < RULES; i++) {
        size_t size = 80 + service_below(200);
        rules->rule[i] = (char *)service_fill(malloc(size), size);
        snprintf(rules->rule[i], size, "version %lu: deny from 10.%d.0.0/16", version, i);
    }
    return rules;
}

static void drop_rules(struct rules *rules) {
    for (int i = 0; i < RULES; i++) {
        free(rules->rule[i]);
    }
    free(rules);
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    unsigned long version = 1, allowed = 0;
    struct rules *current = load_rules(version);
    while (service_next()) {
        if (version < 8 && service_progress() > 0.1 * (double)version + 0.1) {
            struct rules *fresh = load_rules(++version);
            drop_rules(current);
            current = fresh;
        }
        allowed += strstr(current->rule[service_below(RULES)], "10.7.") == NULL;
        service_work();
    }
    service_end(0, RULES, allowed == 0);
}
