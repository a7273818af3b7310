/* mailer_popen: hands each mail to a program through popen(), and forgets pclose() when the mail is empty.
 */
#include "service.h"

static unsigned long lost;

static FILE *start_sendmail(void) {
    FILE *program = popen("cat >/dev/null", "w"); /* LEAK start_sendmail */
    service_need(program != NULL, "program");
    return program;
}

static int send_mail(const char *text) {
    FILE *program = start_sendmail();
    if (text[0] == '\0') {
        lost++;
        return -1; /* the bug */
    }
    fputs(text, program);
    return pclose(program);
}

int main(int argc, char **argv) {
    service_start(argc, argv, 10);
    unsigned long sent = 0;
    while (service_next()) {
        sent += send_mail(service_uniform() < 0.5 ? "" : "Subject: hello\n") == 0;
        service_work();
    }
    service_end(lost, 0, sent == 0);
}
