// The clients of a simulated cluster, and what its leader does on its own behalf: messages, transactions and
// decisions about them (late, repeated, contradicting ones too), delayed messages, offsets.
//
// They send to whom they take for the leader, or to anybody, and remember what they were answered; the
// checker is told of it.
#pragma once

#include "tests/simulation/simulated_cluster.hpp"

#include <set>
#include <vector>

namespace holdfast::simulation {

class cluster_clients {
  public:
    // `is_plain`: with neither transactions nor delays, whose broken invariants would end the process of a
    // canary.
    cluster_clients(simulated_cluster& cluster, std::uint64_t seed, bool is_plain);

    // One of them sends something.
    void act();
    // One of them asks what there is.
    void ask();
    // Something is sent to this node that shows that it works.
    void try_out(std::size_t leader);
    // The leader delivers what is due, as the delay scheduler does.
    void deliver();
    // What waits, for a report that it does so for too long; empty when nothing does.
    [[nodiscard]] std::string delays_in_words();

    [[nodiscard]] std::uint64_t messages_answered() const { return messages_answered_; }

  private:
    struct known_half {
        log_position position;
        bool is_decided = false; // as far as answers go
    };

    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    [[nodiscard]] queue_key some_queue();
    void send_topic(std::size_t to);
    void send_commit(std::size_t to);
    void ask_offset(std::size_t to);
    void ask_end(std::size_t to);
    void send_messages(std::size_t to);
    void send_halves(std::size_t to);
    void send_decisions(std::size_t to);
    void send_checks(std::size_t to);
    void send_delayed(std::size_t to);
    void call_back();
    void change_delays(std::size_t leader, broker::entry_draft draft, std::uint64_t* mark);
    [[nodiscard]] std::optional<std::size_t> free_scheduler() const;
    void remember(const std::vector<drafted_message>& messages, const broker::applied_batch& batch);
    void remember(const std::vector<broker::decision>& decisions, const broker::applied_batch& batch);
    drafted_message add_record(broker::entry_draft& draft, broker::command_kind kind, std::size_t size,
                               std::span<std::byte>& trailer);

    simulated_cluster& cluster_;
    std::mt19937_64 random_;
    const bool has_transactions_;
    const bool has_delays_;
    std::uint32_t topics_ = 0;
    std::uint64_t next_name_ = 1;
    std::uint64_t messages_answered_ = 0;
    std::map<queue_key, std::int64_t> commits_sent_;
    std::vector<known_half> halves_;
    // The terms whose leader waits for the end of a delivery or cancellation.
    std::set<term_number> delays_changed_in_;
};

} // namespace holdfast::simulation
