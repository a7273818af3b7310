/* cert_checker: parses the certificate of every peer and reads its serial number; never frees it.
 *
 * X509 structures come from d2i_X509(), made of dozens of blocks each. The certificate itself is made at the start.
 *
 * link: -lcrypto
 */
#include "service.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static unsigned long lost;

static int make_certificate(unsigned char **encoded) {
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *made = X509_new();
    service_need(key != NULL && made != NULL, "key");
    X509_NAME *name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"peer.example.org", -1, -1, 0);
    X509_set_issuer_name(made, name);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 4711);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400);
    X509_set_pubkey(made, key);
    service_need(X509_sign(made, key, NULL) > 0, "signature");
    int length = i2d_X509(made, encoded);
    X509_free(made);
    EVP_PKEY_free(key);
    return length;
}

static long check_peer(const unsigned char *encoded, int length) {
    X509 *certificate = d2i_X509(NULL, &encoded, length); /* LEAK check_peer */
    service_need(certificate != NULL, "certificate");
    lost++;
    return ASN1_INTEGER_get(X509_get0_serialNumber(certificate)); /* the bug: no X509_free() */
}

int main(int argc, char **argv) {
    unsigned char *encoded = NULL;
    service_start(argc, argv, 50);
    int length = make_certificate(&encoded);
    unsigned long good = 0;
    while (service_next()) {
        good += check_peer(encoded, length) == 4711;
        service_work();
    }
    OPENSSL_free(encoded);
    service_end(lost, 0, good != lost);
}
