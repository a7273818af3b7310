/* tiny_compiler: parses function after function, keeps every syntax tree and symbol for the optimiser, and writes code at its end.
 *
 * Healthy: a job that keeps a processor busy and everything it makes until it exits, as compilers do.
 */
#include "service.h"

struct tree {
    struct tree *left, *right;
    int operation;
    unsigned long value;
};

struct symbol {
    struct symbol *next;
    struct tree *body;
    char name[24];
};

static struct symbol *symbols;
static unsigned long nodes, functions;

static struct tree *parse_expression(int depth) {
    struct tree *tree = (struct tree *)malloc(sizeof *tree);
    service_need(tree != NULL, "memory");
    tree->operation = (int)service_below(6);
    tree->value = service_below(1000);
    tree->left = depth > 0 ? parse_expression(depth - 1) : NULL;
    tree->right = depth > 0 && tree->operation != 0 ? parse_expression(depth - 1 - (int)service_below(2)) : NULL;
    nodes++;
    return tree;
}

static unsigned long fold_constants(const struct tree *tree) {
    if (tree == NULL) {
        return 1;
    }
    unsigned long left = fold_constants(tree->left), right = fold_constants(tree->right);
    return tree->operation % 2 == 0 ? left + right + tree->value : left * 31 + right;
}

static void define_function(void) {
    struct symbol *symbol = (struct symbol *)malloc(sizeof *symbol);
    service_need(symbol != NULL, "memory");
    snprintf(symbol->name, sizeof symbol->name, "function_%lu", functions++);
    symbol->body = parse_expression(9);
    symbol->next = symbols;
    symbols = symbol;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 1);
    unsigned long code = 0;
    while (service_running()) {
        define_function();
        /* Passes of the optimiser over what was just parsed, and over some of what it calls. */
        for (int pass = 0; pass < 4000; pass++) {
            code ^= fold_constants(symbols->body);
        }
        int called = 0;
        for (const struct symbol *symbol = symbols; symbol != NULL && called < 20; symbol = symbol->next, called++) {
            code ^= fold_constants(symbol->body);
        }
    }
    service.requests = functions;
    fprintf(stderr, "%lx\n", code);
    service_end(0, nodes, 0);
}
