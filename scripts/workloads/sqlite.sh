#!/bin/sh
# sqlite3 on a script in memory: inserts, indexes, joins, aggregates, updates, deletes. sqlite.sh [PREFIX...]
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
need sqlite3

round=0
rounds=$((seconds * 36))
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    cat <<SQL
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS people;
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, person INTEGER, what TEXT, price REAL);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO people SELECT i, printf('person %d', (i * 7919) % 1000) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
INSERT INTO orders SELECT i, 1 + (i * 31 + $round) % 1000, printf('item %d', (i * 104729 + $round) % 500), i * 0.25 FROM n;
COMMIT;
CREATE INDEX by_what ON orders(what, price);
SELECT $round, count(*), sum(price) FROM orders WHERE what LIKE 'item 4%';
SELECT name, count(*), round(avg(price), 2) FROM orders JOIN people ON people.id = person GROUP BY name ORDER BY 3 DESC, 1 LIMIT 3;
SELECT json_group_array(what) FROM (SELECT DISTINCT what FROM orders ORDER BY what DESC LIMIT 5);
UPDATE orders SET what = upper(what) || ' ' || person WHERE id % 3 = $round % 3;
DELETE FROM orders WHERE id % 2 = 0;
SELECT count(*), max(what), min(what) FROM orders;
SQL
done >"$scratch/script.sql"

status=0
"$@" sqlite3 :memory: ".read $scratch/script.sql" || status=$?
echo "sqlite3: $status"
exit "$status"
