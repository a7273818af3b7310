/* leak_apis: a service that forgets what libraries hand out: each variant calls one function whose result must be given
 * back, and never does.
 *
 * expect: leak forget_pattern forget_addresses forget_line forget_copy forget_text forget_real_path forget_listing forget_matches forget_locale forget_converter forget_connection forget_context forget_key forget_certificate forget_stream forget_digest forget_statement forget_message forget_document forget_nodes forget_transfer forget_headers forget_deflater forget_inflater forget_word forget_handler forget_value
 *
 * fingerprint: forget_pattern libc-regcomp
 * fingerprint: forget_addresses libc-getaddrinfo
 * fingerprint: forget_line libc-getline
 * fingerprint: forget_copy libc-strdup
 * fingerprint: forget_text libc-asprintf
 * fingerprint: forget_real_path libc-realpath
 * fingerprint: forget_listing libc-scandir
 * fingerprint: forget_matches libc-glob
 * fingerprint: forget_locale libc-newlocale
 * fingerprint: forget_converter libc-iconv-open
 * fingerprint: forget_connection openssl-ssl-new
 * fingerprint: forget_context openssl-ssl-ctx-new
 * fingerprint: forget_key openssl-evp-pkey
 * fingerprint: forget_certificate openssl-x509
 * fingerprint: forget_stream openssl-bio
 * fingerprint: forget_digest openssl-evp-ctx
 * fingerprint: forget_statement sqlite-prepare
 * fingerprint: forget_message sqlite-mprintf
 * fingerprint: forget_document libxml2-document
 * fingerprint: forget_nodes libxml2-xpath
 * fingerprint: forget_transfer curl-easy-init
 * fingerprint: forget_headers curl-slist
 * fingerprint: forget_deflater zlib-deflate-init
 * fingerprint: forget_inflater zlib-inflate-init
 * fingerprint: forget_word glib-string
 * fingerprint: forget_handler gobject-signal-connect
 * fingerprint: forget_value jansson-value
 */
#include "variant.h"

#include <curl/curl.h>
#include <dirent.h>
#include <glib-object.h>
#include <glob.h>
#include <iconv.h>
#include <jansson.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <locale.h>
#include <netdb.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <regex.h>
#include <sqlite3.h>
#include <zlib.h>

static TARGET_NOINLINE void forget_pattern(long request) {
    regex_t pattern;
    need(regcomp(&pattern, "^/api/v[0-9]+/(user|order)s?$", REG_EXTENDED) == 0, "regcomp"); /* LEAK */
    need(regexec(&pattern, "/api/v1/orders", 0, NULL, 0) == 0, "regexec");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_addresses(long request) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    need(getaddrinfo("127.0.0.1", "80", &hints, &addresses) == 0, "getaddrinfo"); /* LEAK */
    use_pointer(addresses, "getaddrinfo");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_line(long request) {
    FILE *file = fopen(variant_file, "r");
    need(file != NULL, "fopen");
    char *line = NULL;
    size_t room = 0;
    need(getline(&line, &room, file) > 0, "getline"); /* LEAK */
    fclose(file);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_copy(long request) {
    char *copy = strdup(variant_file); /* LEAK */
    use_pointer(copy, "strdup");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_text(long request) {
    char *text = NULL;
    need(asprintf(&text, "request %ld", request) > 0, "asprintf"); /* LEAK */
    use_pointer(text, "asprintf");
}

static TARGET_NOINLINE void forget_real_path(long request) {
    char *path = realpath(variant_file, NULL); /* LEAK */
    use_pointer(path, "realpath");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_listing(long request) {
    struct dirent **entries = NULL;
    need(scandir(variant_folder, &entries, NULL, alphasort) > 0, "scandir"); /* LEAK */
    use_pointer(entries, "scandir");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_matches(long request) {
    char wanted[96];
    glob_t matches;
    snprintf(wanted, sizeof wanted, "%s/f*", variant_folder);
    need(glob(wanted, 0, NULL, &matches) == 0, "glob"); /* LEAK */
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_locale(long request) {
    locale_t locale = newlocale(LC_NUMERIC_MASK, "C.UTF-8", (locale_t)0); /* LEAK */
    use_pointer(locale, "newlocale");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_converter(long request) {
    iconv_t converter = iconv_open("UTF-16LE", "UTF-8"); /* LEAK */
    use_pointer(converter, "iconv_open");
    variant_note((uint64_t)request);
}

static SSL_CTX *context;

static void make_context(const struct target_options *options) {
    (void)options;
    context = SSL_CTX_new(TLS_client_method());
    use_pointer(context, "SSL_CTX_new");
}

static TARGET_NOINLINE void forget_connection(long request) {
    SSL *connection = SSL_new(context); /* LEAK */
    use_pointer(connection, "SSL_new");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_context(long request) {
    SSL_CTX *fresh = SSL_CTX_new(TLS_client_method()); /* LEAK */
    use_pointer(fresh, "SSL_CTX_new");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_key(long request) {
    unsigned char secret[32] = {1};
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, sizeof secret); /* LEAK */
    use_pointer(key, "EVP_PKEY_new_raw_private_key");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_certificate(long request) {
    X509 *certificate = X509_new(); /* LEAK */
    use_pointer(certificate, "X509_new");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_stream(long request) {
    BIO *stream = BIO_new(BIO_s_mem()); /* LEAK */
    use_pointer(stream, "BIO_new");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_digest(long request) {
    EVP_MD_CTX *digest = EVP_MD_CTX_new(); /* LEAK */
    use_pointer(digest, "EVP_MD_CTX_new");
    variant_note((uint64_t)request);
}

static sqlite3 *database;

static void open_database(const struct target_options *options) {
    (void)options;
    need(sqlite3_open(":memory:", &database) == SQLITE_OK, "sqlite3_open");
    need(sqlite3_exec(database, "create table users (name text)", NULL, NULL, NULL) == SQLITE_OK, "create table");
}

static TARGET_NOINLINE void forget_statement(long request) {
    sqlite3_stmt *statement = NULL;
    const char *query = "select name from users where name like ?";
    need(sqlite3_prepare_v2(database, query, -1, &statement, NULL) == SQLITE_OK, "prepare"); /* LEAK */
    need(sqlite3_bind_int64(statement, 1, request) == SQLITE_OK, "bind");
    need(sqlite3_step(statement) == SQLITE_DONE, "step");
}

static TARGET_NOINLINE void forget_message(long request) {
    char *message = sqlite3_mprintf("request %d of %q", (int)request, variant_file); /* LEAK */
    use_pointer(message, "sqlite3_mprintf");
}

static const char document_text[] = "<orders><order id='1'>pen</order><order id='2'>ink</order></orders>";
static xmlDocPtr shared_document;

static TARGET_NOINLINE void forget_document(long request) {
    xmlDocPtr document = xmlReadMemory(document_text, sizeof document_text - 1, NULL, NULL, 0); /* LEAK */
    use_pointer(document, "xmlReadMemory");
    variant_note((uint64_t)request);
}

static void read_document(const struct target_options *options) {
    (void)options;
    shared_document = xmlReadMemory(document_text, sizeof document_text - 1, NULL, NULL, 0);
    use_pointer(shared_document, "xmlReadMemory");
}

static TARGET_NOINLINE void forget_nodes(long request) {
    xmlXPathContextPtr where = xmlXPathNewContext(shared_document);
    use_pointer(where, "xmlXPathNewContext");
    xmlXPathObjectPtr nodes = xmlXPathEvalExpression((const xmlChar *)"//order", where); /* LEAK */
    use_pointer(nodes, "xmlXPathEvalExpression");
    xmlXPathFreeContext(where);
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_transfer(long request) {
    CURL *transfer = curl_easy_init(); /* LEAK */
    use_pointer(transfer, "curl_easy_init");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_headers(long request) {
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json"); /* LEAK */
    use_pointer(headers, "curl_slist_append");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_deflater(long request) {
    static z_stream deflater;
    memset(&deflater, 0, sizeof deflater);
    need(deflateInit(&deflater, 1) == Z_OK, "deflateInit"); /* LEAK */
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_inflater(long request) {
    static z_stream inflater;
    memset(&inflater, 0, sizeof inflater);
    need(inflateInit(&inflater) == Z_OK, "inflateInit"); /* LEAK */
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_word(long request) {
    char *word = g_strdup_printf("request %ld", request); /* LEAK */
    use_pointer(word, "g_strdup_printf");
}

static GObject *model;

static void make_model(const struct target_options *options) {
    (void)options;
    model = g_object_new(G_TYPE_OBJECT, NULL);
    use_pointer(model, "g_object_new");
}

static void on_notify(void) {}

static TARGET_NOINLINE void forget_handler(long request) {
    gulong handler = g_signal_connect(model, "notify", G_CALLBACK(on_notify), NULL); /* LEAK */
    need(handler != 0, "g_signal_connect");
    variant_note((uint64_t)request);
}

static TARGET_NOINLINE void forget_value(long request) {
    json_error_t error;
    json_t *value = json_loads("{\"name\": \"pen\", \"sizes\": [1, 2]}", 0, &error); /* LEAK */
    use_pointer(value, "json_loads");
    variant_note((uint64_t)request);
}

static const struct variant variants[] = {
    {"forget_pattern", NULL, forget_pattern, NULL},
    {"forget_addresses", NULL, forget_addresses, NULL},
    {"forget_line", NULL, forget_line, NULL},
    {"forget_copy", NULL, forget_copy, NULL},
    {"forget_text", NULL, forget_text, NULL},
    {"forget_real_path", NULL, forget_real_path, NULL},
    {"forget_listing", NULL, forget_listing, NULL},
    {"forget_matches", NULL, forget_matches, NULL},
    {"forget_locale", NULL, forget_locale, NULL},
    {"forget_converter", NULL, forget_converter, NULL},
    {"forget_connection", make_context, forget_connection, NULL},
    {"forget_context", NULL, forget_context, NULL},
    {"forget_key", NULL, forget_key, NULL},
    {"forget_certificate", NULL, forget_certificate, NULL},
    {"forget_stream", NULL, forget_stream, NULL},
    {"forget_digest", NULL, forget_digest, NULL},
    {"forget_statement", open_database, forget_statement, NULL},
    {"forget_message", NULL, forget_message, NULL},
    {"forget_document", NULL, forget_document, NULL},
    {"forget_nodes", read_document, forget_nodes, NULL},
    {"forget_transfer", NULL, forget_transfer, NULL},
    {"forget_headers", NULL, forget_headers, NULL},
    {"forget_deflater", NULL, forget_deflater, NULL},
    {"forget_inflater", NULL, forget_inflater, NULL},
    {"forget_word", NULL, forget_word, NULL},
    {"forget_handler", make_model, forget_handler, NULL},
    {"forget_value", NULL, forget_value, NULL},
};
VARIANT_MAIN("leak_apis", variants)
