/* upload_server: takes uploads into a buffer of 64 KiB, checks their sum, stores them.
 *
 * One upload in twenty is aborted by its client. The loop that receives then leaves by "return -1" and forgets the buffer. The
 * same line allocates the buffers of all uploads, and 95 % of them are freed within milliseconds.
 */
#include "service.h"

#define BUFFER_SIZE (64 * 1024)

static unsigned long lost;

static unsigned char *open_buffer(void) {
    unsigned char *buffer = (unsigned char *)malloc(BUFFER_SIZE); /* LEAK open_buffer */
    return (unsigned char *)service_fill(buffer, BUFFER_SIZE);
}

static int receive(unsigned char *buffer, size_t chunk, int aborts) {
    buffer[chunk * 4096] = (unsigned char)chunk;
    return aborts && chunk == 9 ? -1 : 0;
}

static int handle_upload(int aborts) {
    unsigned char *buffer = open_buffer();
    unsigned long sum = 0;
    for (size_t chunk = 0; chunk < BUFFER_SIZE / 4096; chunk++) {
        if (receive(buffer, chunk, aborts) != 0) {
            lost++;
            return -1; /* the bug */
        }
        sum += buffer[chunk * 4096];
    }
    free(buffer);
    return sum > 0 ? 0 : -1;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 420);
    while (service_next()) {
        service_work();
        handle_upload(service_uniform() < 0.05);
    }
    service_end(lost, 0, 0);
}
