// The committed read view of the queues: where message n of a queue is in the log.
//
// The youngest part of every queue is held in memory, from its last checkpoint on; what is older is in the
// derived store as runs (queue_index_run.hpp). Only committed messages ever get in here, so whatever is read
// here may be shown to a consumer.
//
// Threads: append, evict, raise_first and remove_topic belong to one writer each at a time; reads and parking
// come from any thread. A queue has its own mutex, held for a copy of a few entries.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/derived_store.hpp"
#include "storage/queue_index_run.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace holdfast::storage {

// Who waits for a message: a number its owner understands.
using waiter_id = strong<struct waiter_id_tag, std::uint64_t>;

struct queue_bounds {
    queue_offset first; // the oldest message still kept
    queue_offset last;  // the next message's
    friend bool operator==(const queue_bounds&, const queue_bounds&) = default;
};

class queue_index {
  public:
    explicit queue_index(const derived_store& store) : store_(store) {}

    // --- the writer's side ---

    // A queue as a start finds it: everything in [first, next) is in the derived store.
    void restore(queue_key queue, queue_bounds bounds);
    // `entries` are the messages from `first` on, which is where the queue ended. Those who parked at the old
    // end are added to `woken` and forgotten.
    void append(queue_key queue, queue_offset first, std::span<const queue_index_entry> entries,
                std::vector<waiter_id>& woken);
    // The derived store now has everything below `until`.
    void evict(queue_key queue, queue_offset until);
    // Retention: nothing below `first` is kept. The caller deletes bytes only afterwards.
    void raise_first(queue_key queue, queue_offset first);
    // Everybody who waits there is woken, to find the topic gone.
    void remove_topic(topic_id topic, std::vector<waiter_id>& woken);

    // --- the readers' side ---

    // A queue without messages yet has the bounds 0, 0.
    [[nodiscard]] queue_bounds bounds(queue_key queue) const;

    enum class source : std::uint8_t {
        memory_only, // never touches the disk
        memory_and_disk,
    };
    struct read_result {
        queue_bounds bounds;    // as of the read
        bool elsewhere = false; // memory_only, and `from` is only in the derived store
    };
    // Fills `out` with up to `limit` entries from `from` on; fewer at the end of the queue or where memory
    // and disk meet. None when `from` is outside the bounds.
    result<read_result> read(queue_key queue, queue_offset from, std::size_t limit, source where,
                             std::vector<queue_index_entry>& out) const;

    // Waits for messages at and above `end`: false (and not parked) when there already are some. A waiter is
    // woken once, by a message that it may not want: it looks again and parks again.
    [[nodiscard]] bool park(queue_key queue, queue_offset end, waiter_id waiter);
    void unpark(queue_key queue, waiter_id waiter);

    [[nodiscard]] std::vector<std::pair<queue_key, queue_bounds>> all() const;

  private:
    struct queue {
        std::mutex mutex;
        queue_offset first;
        queue_offset first_in_memory;
        std::vector<queue_index_entry> tail; // [first_in_memory, next)
        std::vector<waiter_id> waiters;

        [[nodiscard]] queue_offset next() const {
            return first_in_memory + static_cast<std::int64_t>(tail.size());
        }
    };
    struct shard {
        mutable std::mutex mutex;
        std::unordered_map<queue_key, std::shared_ptr<queue>> queues;
    };
    static constexpr std::size_t shard_count = 64;

    [[nodiscard]] shard& shard_of(queue_key key);
    [[nodiscard]] const shard& shard_of(queue_key key) const;
    [[nodiscard]] std::shared_ptr<queue> find(queue_key key) const;
    [[nodiscard]] std::shared_ptr<queue> find_or_make(queue_key key);

    const derived_store& store_;
    std::array<shard, shard_count> shards_;
};

} // namespace holdfast::storage
