// mail_spooler: two threads take in mails, one delivers them over a slow link, through a deque of owned messages.
//
// Delivery keeps up with two thirds of what comes in: the deque gets longer and longer, while every mail is freed when delivered.
#include "service.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

struct Mail {
    char text[16 * 1024];
};

class Spool {
public:
    SERVICE_NOINLINE void enqueue() {
        auto mail = std::make_unique<Mail>(); // LEAK enqueue
        service_fill(mail->text, sizeof mail->text);
        std::lock_guard<std::mutex> held(lock_);
        mails_.push_back(std::move(mail));
        more_.notify_one();
    }
    std::unique_ptr<Mail> take() {
        std::unique_lock<std::mutex> held(lock_);
        more_.wait(held, [this] { return !mails_.empty(); });
        auto mail = std::move(mails_.front());
        mails_.pop_front();
        return mail;
    }
    size_t waiting() {
        std::lock_guard<std::mutex> held(lock_);
        return mails_.size();
    }

private:
    std::mutex lock_;
    std::condition_variable more_;
    std::deque<std::unique_ptr<Mail>> mails_;
};

int main(int argc, char **argv) {
    service_start(argc, argv, 150);
    Spool spool;
    std::thread delivery([&spool] {
        while (spool.take()) {
            service_sleep(0.0048);
        }
    });
    std::thread second([&spool] {
        while (service_running()) {
            service_sleep(0.0066);
            spool.enqueue();
        }
    });
    while (service_next()) {
        service_work();
        spool.enqueue();
    }
    second.join();
    service_end(spool.waiting(), 0, 0);
}
