/* sql_report: a reporting service on an SQLite database in memory that prepares a statement per request.
 *
 * A statement that yields no row is not finalized. FIXED finalizes on every path.
 *
 * link: -lsqlite3
 */
#include "service.h"

#include <sqlite3.h>

static sqlite3 *database;
static unsigned long lost;

static int count_orders(unsigned long customer) {
    sqlite3_stmt *statement = NULL;
    char text[128];
    snprintf(text, sizeof text, "SELECT count(*), sum(amount) FROM orders WHERE customer = %lu GROUP BY customer", customer);
    int status = sqlite3_prepare_v2(database, text, -1, &statement, NULL); /* LEAK count_orders */
    service_need(status == SQLITE_OK, "statement");
    if (sqlite3_step(statement) != SQLITE_ROW) {
#ifdef FIXED
        sqlite3_finalize(statement);
#else
        lost++; /* the bug */
#endif
        return 0;
    }
    int count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 60);
    service_need(sqlite3_open(":memory:", &database) == SQLITE_OK, "database");
    sqlite3_exec(database, "CREATE TABLE orders (customer INTEGER, amount REAL); CREATE INDEX by_customer ON orders (customer)",
                 NULL, NULL, NULL);
    for (int i = 0; i < 500; i++) {
        char text[80];
        snprintf(text, sizeof text, "INSERT INTO orders VALUES (%lu, %lu)", service_below(100), service_below(1000));
        sqlite3_exec(database, text, NULL, NULL, NULL);
    }
    unsigned long orders = 0;
    while (service_next()) {
        orders += (unsigned long)count_orders(service_below(200));
        service_work();
    }
#ifdef FIXED
    sqlite3_close(database);
#endif
    service_end(lost, 0, orders == 0);
}
