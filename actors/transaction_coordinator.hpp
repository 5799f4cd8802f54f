// The transaction_coordinator actor: asks producers what became of transactions that nobody decided (protocol
// reference 4.1, 6.11; trap T8). When, and how often, is broker/check_schedule's; what is undecided is the
// log state's, which it asks in batches; the producer's answer is a decision like any other and goes to the
// producer's own session.
//
// Runs on a thread of its own, since it reads the halves from the log: that may wait for the disk.
//
// In: ticks, groups of which a producer has come. Out: CHECK_TRANSACTION_STATE to producers; half_checks to
// the log, for those that were really sent and for those that are given up.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "broker/check_schedule.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::actors {

class transaction_coordinator_state {
  public:
    // The entry around a record; may block.
    using entry_reader = std::function<result<storage::cached_entry>(log_position)>;

    void set_up(transaction_coordinator_actor::pointer self,
                std::shared_ptr<const session_environment> environment, entry_reader read_entry);
    void tick();
    void joined(const std::vector<std::string>& groups);
    void outcomes(const std::vector<batch_outcome>& outcomes);

  private:
    // What goes to one producer in this turn.
    struct outgoing {
        connection_ptr connection;
        byte_buffer frames;
    };

    void ask_log();
    void report(const half_report& halves);
    void look_at(const broker::half_message& half);
    void ask(const broker::half_message& half);
    result<void> write_check(const broker::half_message& half, byte_buffer& out);
    void append_checks();
    void watch_clock();

    transaction_coordinator_actor::pointer self_ = nullptr;
    std::shared_ptr<const session_environment> environment_;
    entry_reader read_entry_;
    std::optional<broker::check_schedule> schedule_;
    std::chrono::milliseconds tick_interval_{};

    // The wall clock, but never backwards: steady while the wall clock is behind.
    timestamp_ms now_{0};
    caf::actor_clock::time_point now_seen_;
    caf::actor_clock::time_point last_expiry_;

    bool asking_log_ = false;
    std::unordered_map<connection_id, outgoing> outgoing_;
    std::vector<broker::half_check> checks_;
    std::set<std::string> slow_groups_; // whose producers do not read: tried again with the next tick
    std::vector<std::byte> record_;
    std::string message_id_;
    std::uint64_t next_ticket_ = 1;
    std::int32_t next_opaque_ = 1;
};

// The entry around a half; may block.
result<storage::cached_entry> read_half(const session_environment& environment, log_position position);

transaction_coordinator_actor::behavior_type
transaction_coordinator(transaction_coordinator_actor::stateful_pointer<transaction_coordinator_state> self,
                        std::shared_ptr<const session_environment> environment,
                        transaction_coordinator_state::entry_reader read_entry);

} // namespace holdfast::actors
