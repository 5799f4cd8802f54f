// Moves money from an account in one SQLite database to an account in another, with a transactional message
// in between. Kill any of its processes, or the broker, at any time: after a restart the sums agree.
//
//     build/examples/transfer open FROM.db 1000                  a bank whose one account holds so much
//     build/examples/transfer open TO.db 0
//     build/examples/transfer send FROM.db 100 [NAME-SERVER]     makes 100 transfers, then answers checks
//     build/examples/transfer receive TO.db [NAME-SERVER]        until Enter is pressed
//     build/examples/transfer sums FROM.db TO.db                 exit status 0 when all that left has arrived
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"

#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <sqlite3.h>
#include <stdexcept>
#include <thread>

using namespace holdfast::client;

namespace {

// One account, and the transfers by their ids. An amount of 0 stands for one that must not happen.
class bank {
  public:
    explicit bank(const std::string& file) {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open(file.c_str(), &opened);
        database_.reset(opened);
        check(code);
        sqlite3_busy_timeout(opened, 5'000);
        run("CREATE TABLE IF NOT EXISTS account (balance INTEGER NOT NULL)");
        run("CREATE TABLE IF NOT EXISTS transfers (id TEXT PRIMARY KEY, amount INTEGER NOT NULL)");
    }

    // The money leaves. False when it must not: for lack of money, or because a check was answered so.
    bool withdraw(const std::string& id, std::int64_t amount) {
        transaction all{*this};
        if (run("INSERT OR IGNORE INTO transfers VALUES (?2, ?1)", amount, id) == 0 ||
            run("UPDATE account SET balance = balance - ?1 WHERE balance >= ?1", amount) == 0)
            return false;
        all.commit();
        return true;
    }
    // If it has not left yet, it never will: a withdrawal that comes later finds its id taken.
    bool has_left(const std::string& id) {
        transaction all{*this};
        run("INSERT OR IGNORE INTO transfers VALUES (?2, 0)", 0, id);
        const bool left = run("SELECT amount FROM transfers WHERE id = ?2", 0, id) > 0;
        all.commit();
        return left;
    }
    // The money arrives: once, however often the message does.
    void deposit(const std::string& id, std::int64_t amount) {
        transaction all{*this};
        if (run("INSERT OR IGNORE INTO transfers VALUES (?2, ?1)", amount, id) == 1)
            run("UPDATE account SET balance = balance + ?1", amount);
        all.commit();
    }
    void open_account(std::int64_t amount) {
        run("INSERT INTO account SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM account)", amount);
    }
    std::int64_t balance() { return run("SELECT balance FROM account"); }
    std::int64_t moved() { return run("SELECT total(amount) FROM transfers"); }

  private:
    // Taken back unless it is committed.
    struct transaction {
        explicit transaction(bank& where) : lock(where.mutex_), self(where) { self.run("BEGIN IMMEDIATE"); }
        ~transaction() {
            if (!done)
                sqlite3_exec(self.database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
        void commit() {
            self.run("COMMIT");
            done = true;
        }
        std::lock_guard<std::mutex> lock;
        bank& self;
        bool done = false;
    };

    // The number a SELECT finds first; else how many rows were changed.
    std::int64_t run(const char* sql, std::int64_t amount = 0, const std::string& id = {}) {
        sqlite3_stmt* prepared = nullptr;
        check(sqlite3_prepare_v2(database_.get(), sql, -1, &prepared, nullptr));
        const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{prepared,
                                                                                   sqlite3_finalize};
        if (sqlite3_bind_parameter_count(prepared) >= 1)
            check(sqlite3_bind_int64(prepared, 1, amount));
        if (sqlite3_bind_parameter_count(prepared) >= 2)
            check(sqlite3_bind_text(prepared, 2, id.c_str(), -1, SQLITE_STATIC));
        const int code = sqlite3_step(prepared);
        if (code == SQLITE_ROW)
            return sqlite3_column_int64(prepared, 0);
        check(code);
        return sqlite3_changes(database_.get());
    }
    void check(int code) const {
        if (code != SQLITE_OK && code != SQLITE_DONE)
            throw std::runtime_error{sqlite3_errmsg(database_.get())};
    }

    std::mutex mutex_; // the checker comes on another thread
    std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, sqlite3_close};
};

void complain(const holdfast::error& what) {
    std::cerr << what.message << '\n';
}

int send(bank& from, int count, const std::string& name_servers) {
    transaction_producer_options options;
    options.sending.client.name_servers = name_servers;
    options.sending.group = "example_transfer";
    options.on_trouble = complain;
    // Asked by the broker about a transfer whose end it has not heard of, perhaps of a run that was killed.
    transaction_producer producer{options, [&](const message_view& half) {
                                      return from.has_left(std::string{half.keys()})
                                                 ? transaction_decision::commit
                                                 : transaction_decision::rollback;
                                  }};
    if (const auto started = producer.start(); !started)
        return complain(started.failure()), 1;
    std::mt19937_64 random{std::random_device{}()};
    int made = 0;
    for (int number = 0; number < count; ++number) {
        const std::string id = std::to_string(random()) + "-" + std::to_string(number);
        const auto amount = static_cast<std::int64_t>(1 + random() % 10);
        // The message is safe at the broker before the money leaves, and seen by nobody before it has left.
        const auto sent =
            producer.send({.topic = "example_transfers", .body = std::to_string(amount), .keys = id},
                          [&](const message&, const send_receipt&) {
                              return from.withdraw(id, amount) ? transaction_decision::commit
                                                               : transaction_decision::rollback;
                          });
        made += sent.decision == transaction_decision::commit ? 1 : 0;
        if (!sent.half) {
            std::cerr << "no transfer: " << sent.half.failure().message << '\n';
            std::this_thread::sleep_for(std::chrono::milliseconds{100});
        }
    }
    std::cout << made << " transfers made; answering checks, press Enter to stop" << std::endl;
    std::cin.get();
    return 0;
}

int receive(bank& to, const std::string& name_servers) {
    push_consumer_options options;
    options.client.name_servers = name_servers;
    options.group = "example_transfer_receivers";
    options.from = consume_from::first;
    options.on_trouble = complain;
    push_consumer consumer{options};
    auto ready = consumer.subscribe("example_transfers");
    if (ready)
        ready = consumer.start([&](delivery received) {
            // Should this throw, the handle is dropped, and the message comes again.
            to.deposit(std::string{received.message().keys()}, std::stoll(std::string{received.body()}));
            received.ack();
        });
    if (!ready)
        return complain(ready.failure()), 1;
    std::cout << "receiving; press Enter to stop" << std::endl;
    std::cin.get();
    return 0;
}

int sums(bank& from, bank& to) {
    // Asked first: once nothing is on the way, the balances stand still.
    const auto on_the_way = from.moved() - to.moved();
    const auto first = from.balance();
    const auto second = to.balance();
    std::cout << first << " + " << second << " = " << first + second << ", " << on_the_way << " on the way\n";
    return on_the_way == 0 ? 0 : 2;
}

} // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words{argv, argv + argc};
    const auto word = [&](std::size_t at, const char* otherwise) {
        return at < words.size() ? words[at] : std::string{otherwise};
    };
    const std::string mode = words.size() < 3 ? "" : words[1];
    if ((mode != "open" && mode != "send" && mode != "receive" && mode != "sums") ||
        (mode != "receive" && words.size() < 4)) {
        std::cerr << "transfer open|send|receive|sums ...: see the head of examples/transfer.cpp\n";
        return 1;
    }
    bank first{words[2]};
    if (mode == "open")
        first.open_account(std::stoll(words[3]));
    if (mode == "send")
        return send(first, std::stoi(words[3]), word(4, "127.0.0.1:9876"));
    if (mode == "receive")
        return receive(first, word(3, "127.0.0.1:9876"));
    if (mode == "sums") {
        bank second{words[3]};
        return sums(first, second);
    }
    return 0;
} catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
