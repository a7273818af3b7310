/* line_reader: reads a configuration file per tenant line by line with getline().
 *
 * getline() makes the buffer; it is the caller's. It is freed when the file was read to its end, but not when the line that was
 * looked for is found before, which is so for four tenants in five.
 */
#include "service.h"

static unsigned long forgotten;
static const char text[] = "# tenant\nlimit = 100\nplan = gold\nregion = north\nowner = nobody\n";

static int find_setting(const char *name) {
    FILE *file = fmemopen((void *)text, sizeof text - 1, "r");
    service_need(file != NULL, "file in memory");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) { /* LEAK find_setting */
        if (strncmp(line, name, strlen(name)) == 0) {
            fclose(file);
            forgotten++;
            return 1;
        }
    }
    free(line);
    fclose(file);
    return 0;
}

int main(int argc, char **argv) {
    static const char *names[] = {"limit", "plan", "region", "owner", "colour"};
    service_start(argc, argv, 90);
    unsigned long found = 0;
    while (service_next()) {
        found += (unsigned long)find_setting(names[service_below(5)]);
        service_work();
    }
    service_end(forgotten, 0, found == 0);
}
