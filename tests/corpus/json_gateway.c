/* json_gateway: a gateway that parses small JSON documents into trees, reads one field and drops the tree.
 *
 * A client in thirty sends a truncated document. On a syntax error the parser returns NULL, and the part of the tree that was
 * built up to then is forgotten. FIXED gives it back.
 */
#include "service.h"

#include <ctype.h>

struct node {
    char kind;
    char *text;
    struct node *child, *next;
};

static unsigned long living;

static struct node *make_node(char kind, const char *text, size_t length) {
    struct node *node = (struct node *)calloc(1, sizeof *node); /* LEAK make_node */
    service_need(node != NULL, "memory");
    node->kind = kind;
    node->text = (char *)malloc(length + 1); /* LEAK make_node */
    service_need(node->text != NULL, "memory");
    memcpy(node->text, text, length);
    node->text[length] = '\0';
    living++;
    return node;
}

static void drop_tree(struct node *node) {
    while (node != NULL) {
        struct node *next = node->next;
        drop_tree(node->child);
        free(node->text);
        free(node);
        living--;
        node = next;
    }
}

static struct node *parse_value(const char **at) {
    const char *from = *at;
    if (*from == '[') {
        struct node *list = make_node('[', "", 0);
        struct node **end = &list->child;
        (*at)++;
        while (**at != ']') {
            *end = parse_value(at);
            if (*end == NULL) {
#ifdef FIXED
                drop_tree(list);
#endif
                return NULL;
            }
            end = &(*end)->next;
            if (**at == ',') {
                (*at)++;
            }
        }
        (*at)++;
        return list;
    }
    while (isalnum((unsigned char)**at)) {
        (*at)++;
    }
    return *at == from ? NULL : make_node('v', from, (size_t)(*at - from));
}

static char *receive(int truncated) {
    size_t items = 4 + service_below(12);
    char *text = (char *)malloc(16 * items + 8);
    service_need(text != NULL, "memory");
    size_t length = (size_t)sprintf(text, "[");
    for (size_t i = 0; i < items; i++) {
        length += (size_t)sprintf(text + length, "[k%lu,%lu],", service_below(100), service_below(10000));
    }
    strcpy(text + length, "]");
    if (truncated) {
        text[length / 2 + service_below(length / 3)] = '\0';
    }
    return text;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 350);
    unsigned long refused = 0;
    while (service_next()) {
        char *text = receive(service_uniform() < 0.033);
        const char *at = text;
        struct node *tree = parse_value(&at);
        refused += tree == NULL;
        service_work();
        drop_tree(tree);
        free(text);
    }
    fprintf(stderr, "%lu refused\n", refused);
    service_end(living, 0, 0);
}
