// Clients of crash_deliveries_test: they go on while the broker dies and comes back, and write everything
// down in the ledger.
//
// One thread sends plain and delayed messages and transactions, one recalls delayed messages, one keeps the
// consumer group: one or two members, which are processes, killed with -9 and started anew, sometimes told to
// leave, with the offsets confirmed.
#pragma once

#include "client/producer.hpp"
#include "client/transaction_producer.hpp"
#include "tests/crash/delivery_ledger.hpp"

#include <atomic>
#include <deque>
#include <functional>
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
    // `broker` is asked for whenever offsets are to be confirmed: a group's leader may change. Port 0 = none.
    delivery_load(delivery_ledger& book, std::uint64_t seed, std::function<server_address()> broker,
                  std::string name_servers);
    delivery_load(const delivery_load&) = delete;
    delivery_load& operator=(const delivery_load&) = delete;
    ~delivery_load();

    // Nothing is sent any more, and one consumer acknowledges all it gets. Checks are still answered.
    void calm_down();
    // The members leave; whether the group's offsets are confirmed.
    bool confirm();
    // How often they were so far.
    [[nodiscard]] std::uint64_t confirmations() const { return confirmations_; }
    [[nodiscard]] std::uint64_t consumers_killed() const { return consumers_killed_; }
    // A member again, after confirm().
    void consume_again() { join_group(member_mode::calm); }

  private:
    [[nodiscard]] client::client_options to_broker() const;
    void send(std::uint64_t seed);
    void send_transaction(std::mt19937_64& random);
    void hold_or_decide(std::uint32_t number, std::uint64_t turn, client::half_message half);
    void decide_held(bool all);
    void recall(std::uint64_t seed);

    void keep_group(std::uint64_t seed);
    void join_group(member_mode mode);
    void kill_oldest();
    bool ask_for_offsets();

    delivery_ledger& book_;
    const std::function<server_address()> broker_;
    const std::string name_servers_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> confirmations_{0};
    std::atomic<std::uint64_t> consumers_killed_{0};

    std::mutex held_mutex_;
    std::deque<std::pair<std::uint32_t, client::half_message>> held_halves_;

    client::producer plain_;
    client::transaction_producer transactions_;
    std::deque<std::unique_ptr<consumer_process>> members_; // the group thread's; after calm_down ours
    std::uint64_t members_made_ = 0;
    std::vector<std::thread> threads_;
};

} // namespace holdfast::crash
