#!/bin/sh
# redis-server under redis-benchmark, then a fixed script of commands whose answers are printed. redis.sh [PREFIX...]
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
need redis-server
need redis-benchmark
need redis-cli

port=$(free_port)
"$@" redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --daemonize no --dir "$scratch" \
    --loglevel warning >"$scratch/log" &
server=$!
wait_for_port "$port"

# Fixed portions until the time is over: strings, lists, sets, hashes, sorted sets.
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
    redis-benchmark -h 127.0.0.1 -p "$port" -c 30 -P 8 -n 20000 -r 5000 -d 300 -q \
        -t set,get,incr,lpush,lpop,rpush,sadd,hset,spop,zadd,zpopmin,lrange_100,mset >"$scratch/benchmark" 2>&1 ||
        fail "redis-benchmark: $(tail -n 1 "$scratch/benchmark")"
    redis-cli -h 127.0.0.1 -p "$port" flushall >/dev/null
done

redis-cli -h 127.0.0.1 -p "$port" --no-raw <<'COMMANDS'
FLUSHALL
MSET a 1 b 2 c 3
APPEND a 000
INCRBY a 234
RPUSH list delta alpha charlie bravo
SORT list ALPHA
LRANGE list 0 -1
HSET hash field value other 7
HGETALL hash
ZADD scores 3 three 1 one 2 two
ZRANGE scores 0 -1 WITHSCORES
SETRANGE long 100000 end
STRLEN long
EVAL "local n = 0 for i = 1, 10000 do n = n + #tostring(i) end return n" 0
DBSIZE
COMMANDS

stop_server
echo "redis-server: $status"
exit "$status"
