/* query_cache: a database front end that keeps the result of every query under the query's text.
 *
 * Queries hold literal values, so that nearly half of them are new: the table has no bound and nothing leaves it. Results that
 * are asked for again are found and used.
 */
#include "service.h"

#define BUCKETS 4096

struct result {
    struct result *next;
    unsigned long query;
    char rows[24 * 1024];
};

static struct result *table[BUCKETS];
static unsigned long kept, hits;

static struct result *find(unsigned long query) {
    struct result *result = table[query % BUCKETS];
    while (result != NULL && result->query != query) {
        result = result->next;
    }
    return result;
}

static struct result *cache_result(unsigned long query) {
    struct result *result = (struct result *)malloc(sizeof *result); /* LEAK cache_result */
    service_fill(result, sizeof *result);
    result->query = query;
    result->next = table[query % BUCKETS];
    table[query % BUCKETS] = result;
    kept++;
    return result;
}

static unsigned long ask(unsigned long query) {
    struct result *result = find(query);
    hits += result != NULL;
    if (result == NULL) {
        service_work();
        result = cache_result(query);
    }
    return (unsigned long)result->rows[query % sizeof result->rows];
}

int main(int argc, char **argv) {
    service_start(argc, argv, 150);
    unsigned long sum = 0;
    while (service_next()) {
        /* Half ask about one of a few hot things, the others about something of their own. */
        sum += ask(service_uniform() < 0.5 ? service_below(60) : service.requests + 1000);
    }
    fprintf(stderr, "%lu hits, %lu\n", hits, sum);
    service_end(kept, 0, 0);
}
