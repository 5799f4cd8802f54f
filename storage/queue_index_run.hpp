// The queue index as the derived store keeps it: runs. A run is a stretch of consecutive offsets of one
// queue, written by one checkpoint under one key; 16 bytes a message and one key a queue instead of one key a
// message.
//
//   key    'q' | topic_id u32 | queue number u32 | first offset u64      big-endian, 17 bytes
//   value  entries of 16 bytes: record position u64 | record size u31, by reference u1 | tags hash i32
//          little-endian
//
// Runs of a queue do not overlap. A hole between two runs is possible only below the retention point.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::storage {

class derived_batch;
class derived_store;

// Where one message of a queue is in the log, and what filtering by tag needs to know without reading it.
struct queue_index_entry {
    log_position position;       // of the stored record
    std::uint32_t size : 31 = 0; // bytes of the stored record
    // The record got its place in the queue after it was written: a committed transaction, a delayed message
    // that came due. So positions rise along a queue only among the entries without this mark.
    std::uint32_t by_reference : 1 = 0;
    std::int32_t tags_hash = 0; // Java's String.hashCode of TAGS, 0 without any

    queue_index_entry() = default;
    constexpr queue_index_entry(log_position at, std::uint32_t bytes, std::int32_t tags,
                                bool reference = false)
        : position(at), size(bytes & 0x7FFFFFFFU), by_reference(reference ? 1U : 0U), tags_hash(tags) {}

    friend bool operator==(const queue_index_entry&, const queue_index_entry&) = default;
};

inline constexpr std::size_t queue_index_entry_bytes = 16;

// Longer runs are split: a read fetches and unpacks whole runs, a write pays per run.
inline constexpr std::size_t queue_run_entries_max = 512;

struct queue_index_run {
    queue_offset first;
    std::vector<queue_index_entry> entries;

    [[nodiscard]] queue_offset last() const { return first + static_cast<std::int64_t>(entries.size()); }
    friend bool operator==(const queue_index_run&, const queue_index_run&) = default;
};

// The key of the run of `queue` that begins at `first` (not negative: checked). All runs of a queue lie in
// [queue_run_key(queue, 0), behind_prefix(queue_run_prefix(queue))), those of a topic behind one another.
[[nodiscard]] std::string queue_run_key(queue_key queue, queue_offset first);
[[nodiscard]] std::string queue_run_prefix(queue_key queue);
[[nodiscard]] std::string queue_run_prefix(topic_id topic);

struct parsed_run_key {
    queue_key queue;
    queue_offset first;
    friend bool operator==(const parsed_run_key&, const parsed_run_key&) = default;
};
// Nothing when `key` is not the key of a run.
[[nodiscard]] std::optional<parsed_run_key> parse_queue_run_key(std::string_view key);

// Adds the entries of `queue` from offset `first` on to a checkpoint, as runs of at most
// queue_run_entries_max.
void put_queue_runs(derived_batch& batch, queue_key queue, queue_offset first,
                    std::span<const queue_index_entry> entries);

[[nodiscard]] std::string encode_queue_run(std::span<const queue_index_entry> entries);
// corrupted: the value is no whole number of entries.
[[nodiscard]] result<std::vector<queue_index_entry>> decode_queue_run(std::string_view value);

// The run that holds `offset`, whole; nothing when no run does.
[[nodiscard]] result<std::optional<queue_index_run>> find_run(const derived_store& store, queue_key queue,
                                                              queue_offset offset);

// Up to `limit` consecutive entries from `offset` on, over as many runs as that takes; ends early at the end
// of the stored index or at a hole, and is empty when `offset` itself is not stored.
[[nodiscard]] result<std::vector<queue_index_entry>>
read_queue_index(const derived_store& store, queue_key queue, queue_offset offset, std::size_t limit);

} // namespace holdfast::storage
