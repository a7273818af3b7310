// session_registry: a registry of sessions that are never removed, in a program that ends as it should: when it is stopped, its
// destructors give back all of it.
//
// For as long as it runs it grows without bound. Tools that look at what is left at exit see nothing.
#include "service.h"

#include <map>
#include <memory>
#include <string>

struct Session {
    std::string user;
    char state[300];
};

class Registry {
public:
    SERVICE_NOINLINE void open_session(unsigned long number) {
        auto session = std::make_unique<Session>();                              // LEAK open_session
        session->user = "user-" + std::to_string(number) + "@region.example.org"; // LEAK open_session
        service_fill(session->state, sizeof session->state);
        sessions_.emplace(number, std::move(session));                           // LEAK open_session
    }
    size_t size() const { return sessions_.size(); }

private:
    std::map<unsigned long, std::unique_ptr<Session>> sessions_;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 90);
    Registry registry;
    while (service_next()) {
        registry.open_session(service.requests);
        service_work();
    }
    return service_say(registry.size(), 0);
}
