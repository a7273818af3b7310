/* digest_service: hashes uploads with OpenSSL. The context of an upload that turns out to be empty is forgotten.
 *
 * link: -lcrypto
 */
#include "service.h"

#include <openssl/evp.h>

static unsigned long lost;

static unsigned digest(const unsigned char *data, size_t length) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();                  /* LEAK digest */
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);          /* LEAK digest */
    if (length == 0) {
        lost++;
        return 0; /* the bug */
    }
    EVP_DigestUpdate(context, data, length);
    EVP_DigestFinal_ex(context, sum, &size);
    EVP_MD_CTX_free(context);
    return size;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 150);
    unsigned long sum = 0;
    while (service_next()) {
        size_t length = service_uniform() < 0.15 ? 0 : 100 + service_below(2000);
        unsigned char *upload = (unsigned char *)service_fill(malloc(length + 1), length + 1);
        sum += digest(upload, length);
        free(upload);
    }
    service_end(lost, 0, sum == 0);
}
