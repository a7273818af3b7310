/* user_import: imports users from lines; a user is a struct with three strings made by strdup().
 *
 * free_user() was not changed when the field `email` was added: one of three strings stays behind. The other calls of strdup()
 * are right.
 */
#include "service.h"

struct user {
    char *name, *city, *email;
};

static unsigned long forgotten;

static void set_email(struct user *user, const char *email) {
    user->email = strdup(email); /* LEAK set_email */
}

static void set_name(struct user *user, const char *name, const char *city) {
    user->name = strdup(name);
    user->city = strdup(city);
}

static struct user *parse_user(const char *line) {
    struct user *user = (struct user *)calloc(1, sizeof *user);
    char name[32], city[32], email[64];
    service_need(user != NULL && sscanf(line, "%31[^,],%31[^,],%63s", name, city, email) == 3, "user");
    set_name(user, name, city);
    set_email(user, email);
    return user;
}

static void free_user(struct user *user) {
    free(user->name);
    free(user->city);
    free(user); /* the bug: not user->email */
    forgotten++;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 120);
    unsigned long valid = 0;
    while (service_next()) {
        char line[128];
        unsigned long number = service_below(1000000);
        snprintf(line, sizeof line, "user%lu,town%lu,user%lu@example.org", number, number % 50, number);
        struct user *user = parse_user(line);
        valid += strchr(user->email, '@') != NULL;
        service_work();
        free_user(user);
    }
    service_end(forgotten, 0, valid != forgotten);
}
