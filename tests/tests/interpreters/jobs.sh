#!/bin/bash
# Real work for bash: arrays, pipelines, background jobs, traps, a coprocess, process substitution, here documents, limits.
set -u

declare -A squares
for ((i = 0; i < 3000; i++)); do
    squares[$i]=$((i * i))
done
echo "squares ${#squares[@]} ${squares[2999]}"

jobs_code() {
    local pids=() code=0
    for n in 1 2 3 4 5; do
        (exit "$n") &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
        code=$((code * 10 + $?))
    done
    echo "jobs $code"
}
jobs_code

# So many that sort cannot write all of it before head is gone.
seq 1 200000 | grep -v 7 | sort -rn | head -n 3 | paste -sd, -
echo "pipeline ${PIPESTATUS[*]}"

coproc DOUBLE { while read -r n; do echo $((2 * n)); done; }
double=$DOUBLE_PID # forgotten once it has ended
for n in 3 4 5; do
    echo "$n" >&"${DOUBLE[1]}"
    read -r answer <&"${DOUBLE[0]}"
    echo "coprocess $answer"
done
eval "exec ${DOUBLE[1]}>&-"
wait "$double"
echo "coprocess ended $?"

diff <(seq 1 10) <(seq 1 11)
echo "diff $?"

trap 'echo "caught USR1"' USR1
kill -USR1 $$
trap - USR1
(kill -TERM $BASHPID)
echo "terminated $?"
(kill -SEGV $BASHPID) 2>/dev/null
echo "crashed $?"
/nonexistent/command 2>/dev/null
echo "not found $?"

text=$(for _ in {1..200}; do printf 'word '; done)
read -ra words <<<"$text"
echo "words ${#words[@]}"
(ulimit -n 20; for n in {1..30}; do (echo x) >/dev/null || exit 1; done; echo "few descriptors")
cat <<END | tr a-z A-Z
a here document
END
(exec -c /bin/echo "without an environment")
exec 9>&1
exec /bin/sh -c 'echo done >&9; exit 45'
