// request_context: an RPC server that makes a context for each call and hands it to a completion that never deletes it.
//
// The completion was written for contexts on the stack; since they come from new, none is given back.
#include "service.h"

#include <string>

namespace rpc {

struct Context {
    unsigned long number;
    std::string peer;
    char scratch[400];
};

static unsigned long lost;

static Context *begin_call(unsigned long number) {
    auto *context = new Context();                                  // LEAK begin_call
    context->number = number;
    context->peer = "client-" + std::to_string(number) + ".region-3.example.org"; // LEAK begin_call
    return context;
}

static unsigned long complete(Context *context) {
    lost++;
    return context->number + context->peer.size(); // the bug: no delete
}

} // namespace rpc

int main(int argc, char **argv) {
    service_start(argc, argv, 90);
    unsigned long sum = 0;
    while (service_next()) {
        rpc::Context *context = rpc::begin_call(service.requests);
        service_work();
        sum += rpc::complete(context);
    }
    service_end(rpc::lost, 0, sum == 0);
}
