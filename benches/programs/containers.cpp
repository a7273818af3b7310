/* containers: C++ that allocates as programs do. Orders with names and lines are kept in a hash table and a tree, found,
 * copied, changed and dropped. containers ROUNDS */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Order {
    std::string customer;
    std::vector<std::string> lines;
    std::list<int> history;
};

std::uint64_t next_random(std::uint64_t &state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

std::shared_ptr<Order> make_order(std::uint64_t random) {
    auto order = std::make_shared<Order>();
    order->customer = "customer of the region number " + std::to_string(random % 5000);
    for (unsigned line = 0; line < 3 + random % 5; line++) {
        order->lines.push_back("an article that has a long name, " + std::to_string(random % 997 + line));
    }
    return order;
}

} // namespace

int main(int argc, char **argv) {
    const long rounds = argc > 1 ? std::atol(argv[1]) : 100000;
    std::uint64_t state = 88172645463325252U;
    std::unordered_map<std::uint64_t, std::shared_ptr<Order>> by_number;
    std::map<std::string, std::shared_ptr<Order>> by_customer;
    std::size_t seen = 0;
    for (long round = 0; round < rounds; round++) {
        const std::uint64_t random = next_random(state);
        const auto order = make_order(random);
        by_number[random % 20000] = order;
        by_customer[order->customer] = order;
        if (const auto found = by_number.find((random >> 32) % 20000); found != by_number.end()) {
            const std::vector<std::string> copy = found->second->lines;
            found->second->history.push_back(static_cast<int>(copy.size()));
            seen += copy.back().size();
        }
        if (random % 7 == 0) {
            by_number.erase((random >> 16) % 20000);
        }
    }
    std::printf("%zu %zu %zu\n", seen, by_number.size(), by_customer.size());
    return 0;
}
