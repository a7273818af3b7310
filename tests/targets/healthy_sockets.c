/* healthy_sockets: connections that are closed, and some that stay on purpose.
 *
 * per_request      a connection for each request
 * keep_alive       a connection lives for up to a third of the run, and words go through it in every step
 * idle_pool        twenty connections are made at the start and never used again
 * listening        ten sockets listen from the start
 * close_wait_late  the peer closes first, the service a second later
 * silent_then_used four connections from the start; each has a word every two seconds
 *
 * expect: silence
 * what: per_request keep_alive idle_pool listening close_wait_late silent_then_used
 */
#include "loopback.h"

#define SLOTS 64
#define POOL 20

struct connection {
    int client, served;
};

static struct lifetime slots[SLOTS];
static int late[4096];
static double late_since[4096];
static long late_first, late_last;
static struct connection pool[POOL];

static struct connection connect_both(void) {
    struct connection made;
    made.client = loopback_connect();
    made.served = accept4(loopback_listener, NULL, NULL, SOCK_CLOEXEC);
    need(made.served >= 0, "accept4");
    loopback_say(made.client, made.served);
    return made;
}

static void close_both(struct connection made) {
    close(made.client);
    close(made.served);
}

static void per_request(long request) {
    struct connection made = connect_both();
    loopback_say(made.served, made.client);
    close_both(made);
    variant_note((uint64_t)request);
}

static void *turn_connection(void *thing) {
    struct connection *made = (struct connection *)thing;
    if (made != NULL) {
        close_both(*made);
        free(made);
        return NULL;
    }
    made = (struct connection *)malloc(sizeof *made);
    *made = connect_both();
    return made;
}

static void keep_alive(long request) {
    lifetimes(slots, SLOTS, request, turn_connection);
    for (int i = 0; i < SLOTS; i++) {
        struct connection *made = (struct connection *)slots[i].thing;
        if (made != NULL) {
            loopback_say(made->client, made->served);
            loopback_say(made->served, made->client);
        }
    }
}

static void end_keep_alive(void) {
    lifetimes(slots, SLOTS, -1, turn_connection);
}

static void begin_pool(const struct target_options *options) {
    loopback_begin(options);
    for (int i = 0; i < POOL; i++) {
        pool[i] = connect_both();
    }
}

static void begin_listening(const struct target_options *options) {
    struct sockaddr_in address;
    loopback_begin(options);
    for (int i = 1; i < 10; i++) {
        loopback_listen(&address);
    }
}

static void close_late(double age) {
    while (late_first < late_last && late_since[late_first % 4096] + age <= target_now()) {
        close(late[late_first++ % 4096]);
    }
}

static void close_wait_late(long request) {
    close_late(1.0);
    need(late_last - late_first < 4096, "too many are late");
    struct connection made = connect_both();
    close(made.client);
    late[late_last % 4096] = made.served;
    late_since[late_last++ % 4096] = target_now();
    variant_note((uint64_t)request);
}

static void end_close_wait(void) {
    close_late(0.0);
}

static void begin_four(const struct target_options *options) {
    loopback_begin(options);
    for (int i = 0; i < 4; i++) {
        pool[i] = connect_both();
    }
}

static void silent_then_used(long request) {
    static double next = 0;
    if (target_now() >= next) {
        next = target_now() + 2;
        for (int i = 0; i < 4; i++) {
            loopback_say(pool[i].client, pool[i].served);
        }
    }
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"per_request", loopback_begin, per_request, NULL},
    {"keep_alive", loopback_begin, keep_alive, end_keep_alive},
    {"idle_pool", begin_pool, per_request, NULL},
    {"listening", begin_listening, per_request, NULL},
    {"close_wait_late", loopback_begin, close_wait_late, end_close_wait},
    {"silent_then_used", begin_four, silent_then_used, NULL},
};
VARIANT_MAIN("healthy_sockets", variants)
