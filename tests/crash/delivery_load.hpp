// Clients of crash_deliveries_test: they go on while the broker dies and comes back, and write everything
// down in the ledger.
//
// One thread sends plain and delayed messages and transactions, one recalls delayed messages, one keeps the
// consumer group: one or two members, destroyed and made anew, sometimes gently, with the offsets confirmed.
#pragma once

#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"
#include "tests/crash/delivery_ledger.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::crash {

class delivery_load {
  public:
    delivery_load(delivery_ledger& book, std::uint64_t seed, std::uint16_t broker_port,
                  std::string name_servers);
    delivery_load(const delivery_load&) = delete;
    delivery_load& operator=(const delivery_load&) = delete;
    ~delivery_load();

    // Nothing is sent any more, and one consumer acknowledges all it gets. Checks are still answered.
    void calm_down();
    // The consumer shuts down; whether the group's offsets are confirmed.
    bool confirm();
    // A member again, after confirm().
    void consume_again() { join_group(); }

  private:
    [[nodiscard]] client::client_options to_broker() const;
    void send(std::uint64_t seed);
    void send_transaction(std::mt19937_64& random);
    void hold_or_decide(std::uint32_t number, std::uint64_t turn, client::half_message half);
    void decide_held(bool all);
    void recall(std::uint64_t seed);

    void keep_group(std::uint64_t seed);
    void join_group();
    void take(client::delivery got);
    // Acknowledges a part of what is held, and drops the rest.
    void settle_held();
    bool ask_for_offsets();

    delivery_ledger& book_;
    const std::uint16_t broker_port_;
    const std::string name_servers_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> calm_{false};
    std::atomic<std::uint64_t> turn_{0};
    std::atomic<std::uint64_t> consumer_troubles_{0};

    std::mutex held_mutex_;
    std::deque<std::pair<std::uint32_t, client::half_message>> held_halves_;
    std::deque<client::delivery> held_deliveries_;

    client::producer plain_;
    client::transaction_producer transactions_;
    std::deque<std::unique_ptr<client::push_consumer>> members_; // the group thread's; after calm_down ours
    std::vector<std::thread> threads_;
};

} // namespace holdfast::crash
