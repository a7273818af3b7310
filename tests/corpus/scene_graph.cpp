// scene_graph: a renderer that builds a small scene per frame. A node owns its children by shared_ptr, and a child its parent too.
//
// Each scene is a cycle: when the frame lets go of it, its reference counts do not come to zero. FIXED makes the way up a weak_ptr.
#include "service.h"

#include <memory>
#include <vector>

struct Node {
    std::vector<std::shared_ptr<Node>> children;
#ifdef FIXED
    std::weak_ptr<Node> parent;
#else
    std::shared_ptr<Node> parent; // the bug
#endif
    double matrix[16] = {};
    static unsigned long living;
    Node() { living++; }
    ~Node() { living--; }
};

unsigned long Node::living;

static SERVICE_NOINLINE std::shared_ptr<Node> make_node(const std::shared_ptr<Node> &parent) {
    auto node = std::make_shared<Node>();          // LEAK make_node
    node->parent = parent;
    if (parent) {
        parent->children.push_back(node);          // LEAK make_node
    }
    return node;
}

static size_t render(size_t leaves) {
    auto scene = make_node(nullptr);
    for (size_t i = 0; i < leaves; i++) {
        make_node(scene)->matrix[i % 16] = 1;
    }
    return scene->children.size();
}

int main(int argc, char **argv) {
    service_start(argc, argv, 60);
    size_t drawn = 0;
    while (service_next()) {
        drawn += render(3 + service_below(3));
        service_work();
    }
    service_end(Node::living, 0, drawn == 0);
}
