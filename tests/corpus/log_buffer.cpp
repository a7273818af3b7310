// log_buffer: a logger that collects lines in one string, to write it out when it is full. The threshold was given in megabytes and
// is compared with bytes shifted the wrong way: it is never reached, and the string doubles and doubles.
#include "service.h"

#include <string>

class Logger {
public:
    SERVICE_NOINLINE void append_line(const std::string &text) {
        pending_ += text; // LEAK append_line
        pending_ += '\n';
        if (pending_.size() > THRESHOLD_MB << 40) { // the bug
            flush();
        }
    }
    size_t pending() const { return pending_.size(); }

private:
    void flush() { pending_.clear(); }
    static const size_t THRESHOLD_MB = 1;
    std::string pending_;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 250);
    Logger logger;
    while (service_next()) {
        service_work();
        logger.append_line("request " + std::to_string(service.requests) + std::string(7000, '.'));
    }
    service_end(logger.pending(), 0, 0);
}
