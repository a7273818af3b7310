/* pipe_capture: runs a filter in a thread and talks to it by a pipe. The reading end is closed, the writing end is not when the
 * filter had nothing to say.
 */
#include "service.h"

static unsigned long lost;

static void make_pipe(int ends[2]) {
    service_need(pipe(ends) == 0, "pipe"); /* LEAK make_pipe */
}

static size_t filter(const char *text) {
    int ends[2];
    char answer[64];
    make_pipe(ends);
    if (text[0] == '#') {
        close(ends[0]);
        lost++;
        return 0; /* the bug: ends[1] */
    }
    service_need(write(ends[1], text, strlen(text)) > 0, "pipe");
    close(ends[1]);
    ssize_t length = read(ends[0], answer, sizeof answer);
    close(ends[0]);
    return length > 0 ? (size_t)length : 0;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 40);
    unsigned long sum = 0;
    while (service_next()) {
        sum += filter(service_uniform() < 0.25 ? "# comment" : "line of text");
        service_work();
    }
    service_end(lost, 0, sum == 0);
}
