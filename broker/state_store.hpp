// The state in the derived store: which keys it has there, how a checkpoint is gathered and how a start reads
// it.
//
//   't' name                            topic_config
//   'g' name                            group_config
//   'o' group 0x00 topic u32 queue u32  next offset i64       the group's progress in the queue
//   'l' group 0x00 topic u32 queue u32  epoch u64, owner      the queue's lock; an empty owner: nobody's
//   'n' topic u32 queue u32             next offset i64       of the queue itself
//   'f' topic u32 queue u32             first offset i64      retention has taken what is below
//   'q' ...                             queue runs            (storage/queue_index_run.hpp)
//   'h' position u64                    half_message          nobody has decided it yet
//   'y' ...                             delayed_message       (storage/delay_index.hpp)
//   'd' ...                             settled_records       (storage/delivery_index.hpp)
//   'r' block u64                       reference_ledger::block_use
//   'm' "next_topic"                    u32
//   'm' "delay"                         delay_progress: version u64, due i64, position u64
//   'm' "first_position"                u64
//   'm' "members"                       members.hpp
//   'm' "term_runs"                     u64 position, u64 term; again
//   'm' "last_entry"                    u64                   start of the last entry applied
//   'm' "log_durable"                   u64                   the log was flushed up to here when this was
//   written
//
// Integers in keys are big-endian, in values little-endian.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/state.hpp"
#include "storage/derived_store.hpp"
#include "storage/queue_index.hpp"

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace holdfast::broker {

// Gathers what applying changed until it is worth a checkpoint. One owner; no I/O.
class checkpoint_builder {
  public:
    checkpoint_builder() = default;

    void add(const state_changes& changes);

    // Changes held, in messages and facts: a measure for "worth a checkpoint".
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    struct checkpoint {
        storage::derived_batch batch;
        std::vector<std::pair<queue_key, queue_offset>>
            covered;                                  // queues, and up to where the batch holds them
        std::vector<storage::settled_record> settled; // that the batch holds
    };
    // Everything gathered, as one atomic batch; the builder is empty afterwards. `current` is the state that
    // the changes led to, `last_entry` the start of the last entry applied. `log_durable`: what a power cut
    // would leave of the log now, which with ASYNC_FLUSH may be less than what was applied.
    [[nodiscard]] checkpoint take(const state& current, log_position last_entry,
                                  log_position log_durable = {});

  private:
    void add(const fact& change);
    void add_deliveries(const state_changes& changes);
    void put_halves(const transaction_table& undecided);
    void put_deliveries(const state& current, log_position last_entry);
    void forget_topic(topic_id topic);
    void forget_below(queue_key queue, queue_offset first);

    storage::derived_batch batch_;
    std::unordered_map<queue_key, queue_run> runs_;
    // What was decided or delivered soon after it came never gets into the store.
    std::optional<log_position> first_new_half_; // from here on no checkpoint has any; the state has them
    std::set<log_position> touched_halves_;      // older ones that were checked or settled
    std::map<delay_key, delayed_message> delayed_;
    std::vector<storage::settled_record> settled_;
    std::set<std::uint64_t> blocks_;
    bool delay_moved_ = false;
    std::size_t size_ = 0;
};

// The state as of store.applied().
result<state> load_state(const storage::derived_store& store);

// Where a scan of the log may begin so that it meets everything that is not in the store; 0 for a new store.
result<log_position> load_last_entry(const storage::derived_store& store);

// Up to where the log is known to have been on the disk: a log that ends before it has lost something.
result<log_position> load_log_durable(const storage::derived_store& store);

// Where `queue` begins once the log begins at `limit.first`: behind its last message whose record lies below.
// Messages before that one go with it, even if their own records stay: they came into the queue earlier.
result<queue_offset> first_kept(const storage::derived_store& store, queue_key queue,
                                storage::queue_bounds bounds, reference_ledger::limit limit);

} // namespace holdfast::broker
