// What a node's derived store and read view hold besides broker::state, in memory: made of nothing but the
// changes that applying tells of, as the real ones are.
#pragma once

#include "broker/state.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::simulation {

class derived_view {
  public:
    struct queue {
        queue_offset first; // retention's
        queue_offset begin; // of `entries`; not above `first`
        std::deque<storage::queue_index_entry> entries;

        [[nodiscard]] queue_offset next() const { return begin + static_cast<std::int64_t>(entries.size()); }
        [[nodiscard]] const storage::queue_index_entry& at(queue_offset offset) const {
            return entries[static_cast<std::size_t>(offset - begin)];
        }
    };

    // What is wrong with them; empty = nothing.
    std::string add(const broker::state_changes& changes);

    [[nodiscard]] const auto& queues() const { return queues_; }
    [[nodiscard]] queue_offset end_of(queue_key which) const {
        const auto found = queues_.find(which);
        return found == queues_.end() ? queue_offset{0} : found->second.next();
    }
    [[nodiscard]] const auto& delayed() const { return delayed_; }
    [[nodiscard]] const auto& settled() const { return settled_; }

    // Where each queue begins when the log begins at `first`: behind its last record below that.
    [[nodiscard]] std::vector<std::pair<queue_key, queue_offset>> firsts(log_position first) const;
    // What a leader delivers now, at most `limit`; the table moves with it, see broker::deliveries.
    [[nodiscard]] std::vector<storage::delayed_message> due(timestamp_ms until, std::size_t limit) const;

  private:
    std::string add(const broker::queue_run& run);
    void trim(const broker::log_trimmed& trimmed);

    std::map<queue_key, queue> queues_;
    std::map<storage::delay_key, storage::delayed_message> delayed_;
    std::map<log_position, storage::settled_record> settled_;
};

} // namespace holdfast::simulation
