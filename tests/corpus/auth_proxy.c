/* auth_proxy: a busy proxy that checks a token per request. One token in a hundred has expired; the path that renews it forgets the
 * request's buffer. FIXED frees it.
 *
 * Thousands of requests a second through one line, and only one in a hundred of its blocks stays.
 */
#include "service.h"

struct request {
    int expired;
    char headers[20 * 1024];
};

static unsigned long lost;

static struct request *read_request(int expired) {
    struct request *request = (struct request *)malloc(sizeof *request); /* LEAK read_request */
    service_need(request != NULL, "memory");
    memset(request->headers, 'h', 4000);
    if (expired) {
        memset(request->headers, 'r', sizeof request->headers);
    }
    request->expired = expired;
    return request;
}

static int renew_token(struct request *request) {
    char *token = (char *)service_fill(malloc(512), 512);
    int renewed = token[0] != 0 && request->headers[0] == 'r';
    free(token);
#ifdef FIXED
    free(request);
#else
    lost++; /* the bug */
#endif
    return renewed;
}

static int serve(int expired) {
    struct request *request = read_request(expired);
    if (request->expired) {
        return renew_token(request);
    }
    int status = request->headers[10] == 'h';
    free(request);
    return status;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 3500);
    unsigned long served = 0;
    while (service_next()) {
        served += (unsigned long)serve(service_uniform() < 0.01);
        service_work();
    }
    service_end(lost, 0, served == 0);
}
