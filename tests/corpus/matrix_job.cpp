// matrix_job: multiplies matrices in blocks without a pause; intermediate results live for a few rounds.
//
// Healthy: a busy job with large, short-lived blocks and a table of results of fixed size.
#include "service.h"

#include <memory>
#include <vector>

using Matrix = std::vector<double>;
static const size_t N = 64;

static Matrix multiply(const Matrix &a, const Matrix &b) {
    Matrix product(N * N, 0.0);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < N; k++) {
            for (size_t j = 0; j < N; j++) {
                product[i * N + j] += a[i * N + k] * b[k * N + j];
            }
        }
    }
    return product;
}

int main(int argc, char **argv) {
    service_start(argc, argv, 1);
    std::vector<Matrix> table(40, Matrix(N * N, 0.001));
    while (service_running()) {
        size_t at = service_below(table.size());
        table[at] = multiply(table[service_below(table.size())], table[service_below(table.size())]);
        for (double &value : table[at]) {
            value = value / (1 + value) + 0.0001;
        }
        service.requests++;
    }
    service_end(0, table.size(), 0);
}
