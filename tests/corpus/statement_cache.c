/* statement_cache: an SQLite client that keeps its 24 last statements prepared and finalizes the one it replaces.
 *
 * Healthy: a bounded cache of an API's objects; the table it writes to is trimmed as well.
 *
 * link: -lsqlite3
 */
#include "service.h"

#include <sqlite3.h>

#define STATEMENTS 24

static sqlite3 *database;
static struct prepared {
    unsigned long shape;
    sqlite3_stmt *statement;
} cache[STATEMENTS];

static sqlite3_stmt *prepare(unsigned long shape) {
    struct prepared *slot = &cache[shape % STATEMENTS];
    if (slot->statement == NULL || slot->shape != shape) {
        char text[96];
        sqlite3_finalize(slot->statement);
        snprintf(text, sizeof text, "INSERT INTO events VALUES (?1, 'shape %lu', %lu)", shape, shape * 3);
        service_need(sqlite3_prepare_v2(database, text, -1, &slot->statement, NULL) == SQLITE_OK, "statement");
        slot->shape = shape;
    }
    return slot->statement;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 120);
    service_need(sqlite3_open(":memory:", &database) == SQLITE_OK, "database");
    sqlite3_exec(database, "CREATE TABLE events (number INTEGER, shape TEXT, weight INTEGER)", NULL, NULL, NULL);
    while (service_next()) {
        sqlite3_stmt *statement = prepare(service_below(60));
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)service.requests);
        service_need(sqlite3_step(statement) == SQLITE_DONE, "row");
        sqlite3_reset(statement);
        if (service.requests % 50 == 0) {
            sqlite3_exec(database, "DELETE FROM events", NULL, NULL, NULL);
        }
        service_work();
    }
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(cache[i].statement);
    }
    sqlite3_close(database);
    service_end(0, 0, 0);
}
