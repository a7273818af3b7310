/* routing_tables: loads its routes in the first eighth of the run, keeps them for ever, and then only looks them up.
 *
 * Healthy: start-up tables beside ordinary traffic.
 */
#include "service.h"

#define ROUTES 1500

struct route {
    struct route *left, *right;
    unsigned long prefix;
    char next_hop[100];
};

static struct route *root;
static unsigned long routes;

static void add_route(unsigned long prefix) {
    struct route **at = &root;
    while (*at != NULL && (*at)->prefix != prefix) {
        at = prefix < (*at)->prefix ? &(*at)->left : &(*at)->right;
    }
    if (*at == NULL) {
        *at = (struct route *)calloc(1, sizeof **at);
        service_need(*at != NULL, "memory");
        (*at)->prefix = prefix;
        memset((*at)->next_hop, 'h', sizeof (*at)->next_hop);
        routes++;
    }
}

static int has_route(unsigned long prefix) {
    const struct route *at = root;
    while (at != NULL && at->prefix != prefix) {
        at = prefix < at->prefix ? at->left : at->right;
    }
    return at != NULL;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    unsigned long hits = 0;
    while (service_next()) {
        while ((double)routes < ROUTES * service_progress() * 8 && routes < ROUTES) {
            add_route(service_below(1000000));
        }
        hits += (unsigned long)has_route(service_below(1000000));
        service_work();
    }
    fprintf(stderr, "%lu hits\n", hits);
    service_end(0, routes, 0);
}
