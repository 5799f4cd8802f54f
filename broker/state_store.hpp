// The state in the derived store: which keys it has there, how a checkpoint is gathered and how a start reads
// it.
//
//   't' name                            topic_config
//   'g' name                            group_config
//   'o' group 0x00 topic u32 queue u32  next offset i64       the group's progress in the queue
//   'n' topic u32 queue u32             next offset i64       of the queue itself
//   'q' ...                             queue runs            (storage/queue_index_run.hpp)
//   'm' "next_topic"                    u32
//   'm' "first_position"                u64
//
// Integers in keys are big-endian, in values little-endian.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/state.hpp"
#include "storage/derived_store.hpp"

#include <unordered_map>

namespace holdfast::broker {

// Gathers what applying changed until it is worth a checkpoint. One owner; no I/O.
class checkpoint_builder {
  public:
    checkpoint_builder() = default;

    void add(const state_changes& changes);

    // Changes held, in messages and facts: a measure for "worth a checkpoint".
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    // Everything gathered, as one atomic batch; the builder is empty afterwards. `next_topic` is the state's.
    [[nodiscard]] storage::derived_batch take(topic_id next_topic);

  private:
    void add(const fact& change);
    void forget_topic(topic_id topic);

    storage::derived_batch batch_;
    std::unordered_map<queue_key, queue_run> runs_;
    std::size_t size_ = 0;
};

// The state as of store.applied().
result<state> load_state(const storage::derived_store& store);

} // namespace holdfast::broker
