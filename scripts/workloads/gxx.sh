#!/bin/sh
# g++ -O2 on a generated source full of templates and standard headers; prints the object's checksum. gxx.sh [PREFIX...]
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
need g++

{
    for header in algorithm functional iostream map memory regex set sstream string tuple unordered_map variant vector; do
        echo "#include <$header>"
    done
    cat <<'CPP'
template <int N> struct Tag { static constexpr int value = N; };
template <int N> struct Sum { static constexpr long value = N + Sum<N - 1>::value; };
template <> struct Sum<0> { static constexpr long value = 0; };
template <typename T, int N> class Store {
    std::map<std::string, std::vector<std::pair<T, Tag<N>>>> items;
    std::unordered_map<long, std::shared_ptr<T>> shared;
  public:
    long add(const std::string &key, T value) {
        items[key + std::to_string(N)].emplace_back(value, Tag<N>{});
        shared[N] = std::make_shared<T>(value);
        return std::count_if(items.begin(), items.end(), [](const auto &item) { return item.second.size() > N; });
    }
};
CPP
    unit=0
    while [ "$unit" -lt $((seconds * 2 + 2)) ]; do
        unit=$((unit + 1))
        cat <<CPP
long unit_$unit(const std::string &text) {
    struct Record { int a = $unit; std::variant<int, std::string, double> b; };
    Store<std::string, $unit> strings;
    Store<std::tuple<int, double, std::string>, $unit> tuples;
    std::vector<Record> records(text.size());
    std::sort(records.begin(), records.end(), [](const Record &l, const Record &r) { return l.a < r.a; });
    std::function<long(long)> next = [&](long n) { return n + Sum<$unit % 200>::value + long(records.size()); };
    return next(strings.add(text, text) + tuples.add(text, {$unit, 0.5, text}));
}
CPP
    done
} >"$scratch/source.cpp"

cd "$scratch"
status=0
"$@" g++ -std=c++17 -O2 -frandom-seed=1 -c source.cpp -o source.o || status=$?
if [ -e source.o ]; then
    cksum <source.o
fi
echo "g++: $status"
exit "$status"
