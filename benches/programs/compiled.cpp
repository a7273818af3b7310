/* compiled: what cc1plus compiles in the benchmark. PART=1 is short, for counting instructions; PART=2 includes the large
 * headers. */
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#if PART > 1
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <random>
#include <regex>
#include <sstream>
#include <thread>
#include <unordered_map>
#include <variant>
#endif

int count_words(const std::vector<std::string> &words) {
    std::map<std::string, int> counts;
    for (const auto &word : words) {
        counts[word]++;
    }
    const auto most = std::max_element(counts.begin(), counts.end(), [](auto &a, auto &b) { return a.second < b.second; });
    return most == counts.end() ? 0 : most->second;
}

#if PART > 1
bool looks_like_address(const std::string &text) {
    static const std::regex pattern("([a-z0-9.]+)@([a-z0-9.]+)", std::regex::icase);
    return std::regex_match(text, pattern);
}

std::string describe(const std::variant<int, double, std::string> &value) {
    std::ostringstream out;
    std::visit([&out](const auto &inner) { out << inner; }, value);
    return out.str();
}

std::size_t total_size(const std::filesystem::path &folder) {
    std::unordered_map<std::string, std::uintmax_t> sizes;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
        sizes[entry.path().string()] = entry.is_regular_file() ? entry.file_size() : 0;
    }
    return sizes.size();
}
#endif
