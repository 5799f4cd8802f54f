#include "examples/demo_roles.hpp"

#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <poll.h>
#include <sqlite3.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace holdfast::demo {

namespace {

using namespace std::chrono_literals;
using namespace holdfast::client;

void say(const std::string& what, const std::string& id) {
    const auto line = what + ' ' + id + '\n';
    [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, line.data(), line.size());
}

void say_trouble(const error& trouble) {
    say("trouble", trouble.message);
}

// Whether standard input was closed, waiting for it at most so long.
bool is_over(std::chrono::milliseconds wait) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, static_cast<int>(wait.count())) != 0;
}

// The orders that were paid. SQLite, so that its commit is a real one.
class order_database {
  public:
    explicit order_database(const std::string& file) {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open(file.c_str(), &opened);
        database_.reset(opened);
        check(code);
        sqlite3_busy_timeout(opened, 5'000);
        run("CREATE TABLE IF NOT EXISTS paid (id TEXT PRIMARY KEY)", {});
    }
    void pay(const std::string& id) { run("INSERT INTO paid VALUES (?1)", id); }
    bool is_paid(const std::string& id) { return run("SELECT 1 FROM paid WHERE id = ?1", id); }

  private:
    // Whether there was a row.
    bool run(const char* sql, const std::string& id) {
        const std::lock_guard lock{mutex_}; // the checker comes on another thread
        sqlite3_stmt* prepared = nullptr;
        check(sqlite3_prepare_v2(database_.get(), sql, -1, &prepared, nullptr));
        const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{prepared,
                                                                                   sqlite3_finalize};
        if (sqlite3_bind_parameter_count(prepared) > 0)
            check(sqlite3_bind_text(prepared, 1, id.c_str(), -1, SQLITE_STATIC));
        const int code = sqlite3_step(prepared);
        if (code != SQLITE_ROW)
            check(code);
        return code == SQLITE_ROW;
    }
    void check(int code) const {
        if (code != SQLITE_OK && code != SQLITE_DONE)
            throw std::runtime_error{sqlite3_errmsg(database_.get())};
    }

    std::mutex mutex_;
    std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, sqlite3_close};
};

} // namespace

int produce(const std::string& name_servers, const std::string& prefix) {
    producer_options options;
    options.client.name_servers = name_servers;
    options.send_timeout = 10s; // long enough for a restart of the broker
    options.retries = 100;
    producer sender{options};
    if (const auto started = sender.start(); !started)
        return say_trouble(started.failure()), 1;
    for (int number = 0; !is_over(1ms); ++number) {
        const auto id = prefix + "-" + std::to_string(number);
        say("sent", id);
        sender.send_async({.topic = topic, .body = id, .keys = id}, [id](const send_result& sent) {
            if (sent.ok())
                say("answered", id);
        });
    }
    sender.shutdown();
    return 0;
}

int pay(const std::string& name_servers, const std::string& database, int count, int stop_at) {
    order_database orders{database};
    transaction_producer_options options;
    options.sending.client.name_servers = name_servers;
    options.sending.group = "demo_payments";
    options.sending.send_timeout = 10s;
    options.confirm_decisions = true;
    options.on_trouble = say_trouble;
    transaction_producer sender{options, [&](const message_view& half) {
                                    const std::string id{half.keys()};
                                    const bool paid = orders.is_paid(id);
                                    say(paid ? "decided" : "refused", id);
                                    return paid ? transaction_decision::commit
                                                : transaction_decision::rollback;
                                }};
    if (const auto started = sender.start(); !started)
        return say_trouble(started.failure()), 1;
    for (int number = 0; number < count; ++number) {
        const auto id = "payment-" + std::to_string(number);
        say("sent", id);
        const auto sent =
            sender.send({.topic = topic, .body = id, .keys = id}, [&](const message&, const send_receipt&) {
                if (number % 4 == 3) {
                    say("refused", id);
                    return transaction_decision::rollback;
                }
                orders.pay(id);
                say("decided", id);
                while (number == stop_at)
                    std::this_thread::sleep_for(1s); // until it is killed
                return transaction_decision::commit;
            });
        if (sent.half)
            say("answered", id);
    }
    while (!is_over(1s)) {
    }
    sender.shutdown();
    return 0;
}

int consume(const std::string& name_servers) {
    push_consumer_options options;
    options.client.name_servers = name_servers;
    options.group = consumer_group;
    options.from = consume_from::first;
    options.commit_interval = 500ms;
    options.rebalance_interval = 1s;
    options.pull_error_delay = 200ms;
    options.listener_threads = 2;
    push_consumer receiver{options};
    if (const auto subscribed = receiver.subscribe(topic); !subscribed)
        return say_trouble(subscribed.failure()), 1;
    const auto started = receiver.start([](delivery one) {
        const std::string id{one.body()};
        say("got", id);
        std::this_thread::sleep_for(1ms); // its work
        one.ack();
        say("done", id);
    });
    if (!started)
        return say_trouble(started.failure()), 1;
    while (!is_over(1s)) {
    }
    receiver.shutdown(2s);
    return 0;
}

} // namespace holdfast::demo
