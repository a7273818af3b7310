/* warmup_catalog: a shop that loads an article when it is first asked for. There are 400; popular ones come first.
 *
 * Healthy: loading decays as the catalogue becomes complete, and has stopped long before the end.
 */
#include "service.h"

#define ARTICLES 400

struct article {
    double price;
    char text[1500];
};

static struct article *catalog[ARTICLES];
static unsigned long loaded;

static struct article *load_article(unsigned long number) {
    struct article *article = (struct article *)malloc(sizeof *article);
    service_fill(article, sizeof *article);
    article->price = (double)(number % 90) + 0.99;
    loaded++;
    return article;
}

static double price_of(unsigned long number) {
    if (catalog[number] == NULL) {
        catalog[number] = load_article(number);
    }
    return catalog[number]->price;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 900);
    double sum = 0;
    while (service_next()) {
        double popular = service_uniform();
        sum += price_of((unsigned long)(popular * popular * ARTICLES));
        service_work();
    }
    fprintf(stderr, "%.2f\n", sum);
    service_end(0, loaded, 0);
}
