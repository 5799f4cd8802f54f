// Where in its queue a message stands, by its position in the log: the queue index the other way round.
//
// Positions rise along a queue among what was written into it, so the place is found by halving; what came in
// by reference is stepped over and not found. Who looks for many messages of a queue, neighbours of each
// other as a consumer's are, keeps the object: it remembers the part of each queue that it read last. Entries
// of the index never change, so what is remembered stays true.
//
// One thread. A search may wait for the disk.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/queue_index.hpp"

#include <optional>
#include <unordered_map>
#include <vector>

namespace holdfast::storage {

class queue_search {
  public:
    explicit queue_search(const queue_index& queues) : queues_(queues) {}

    // Nothing when no message that is still kept was written into the queue from there.
    result<std::optional<queue_offset>> find(queue_key queue, log_position position);

    // Parts of the index that were read, for tests.
    [[nodiscard]] std::uint64_t reads() const { return reads_; }

  private:
    // Some entries of a queue, in order.
    struct part {
        queue_offset first;
        std::vector<queue_index_entry> entries;
        [[nodiscard]] queue_offset end() const { return first + static_cast<std::int64_t>(entries.size()); }
    };
    enum class side : std::uint8_t { before, within, behind, unknown }; // unknown: all by reference

    [[nodiscard]] static side side_of(const part& where, log_position position);
    [[nodiscard]] static std::optional<queue_offset> place_in(const part& where, log_position position);
    // The first part at or behind `from`, and before `until`, that knows a side; empty when there is none.
    result<void> read_part(queue_key queue, queue_offset from, queue_offset until, part& into);

    const queue_index& queues_;
    std::unordered_map<queue_key, part> parts_; // read last
    std::uint64_t reads_ = 0;
};

} // namespace holdfast::storage
