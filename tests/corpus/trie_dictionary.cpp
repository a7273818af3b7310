// trie_dictionary: a spelling service. It reads its dictionary at the start, and learns new words until its 600 places for them are
// taken; from then on a new word takes the place of an old one.
//
// Healthy: a tree that grows at first and is then rebuilt leaf by leaf.
#include "service.h"

#include <deque>
#include <map>
#include <memory>
#include <string>

struct Node {
    std::map<char, std::unique_ptr<Node>> children;
    bool word = false;
};

static void insert(Node &root, const std::string &word) {
    Node *at = &root;
    for (char c : word) {
        auto &child = at->children[c];
        if (!child) {
            child = std::make_unique<Node>();
        }
        at = child.get();
    }
    at->word = true;
}

static bool erase(Node &node, const std::string &word, size_t depth = 0) {
    if (depth == word.size()) {
        node.word = false;
    } else {
        auto found = node.children.find(word[depth]);
        if (found != node.children.end() && erase(*found->second, word, depth + 1)) {
            node.children.erase(found);
        }
    }
    return !node.word && node.children.empty();
}

static std::string some_word() {
    std::string word;
    for (size_t length = 4 + service_below(5); length > 0; length--) {
        word += (char)('a' + service_below(12));
    }
    return word;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 300);
    Node root;
    std::deque<std::string> learned;
    for (int i = 0; i < 3000; i++) {
        insert(root, "A" + some_word());
    }
    while (service_next()) {
        std::string word = some_word();
        insert(root, word);
        learned.push_back(word);
        if (learned.size() > 600) {
            erase(root, learned.front());
            learned.pop_front();
        }
        service_work();
    }
    service_end(0, learned.size(), 0);
}
