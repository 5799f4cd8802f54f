// What became of the records that were written before they had a place in a queue: halves of transactions and
// delayed messages. Once settled, for ever: a record is settled at most once.
//
//   key    'd' | block u64 (record position >> 20) | last entry of the checkpoint u64   big-endian, 17 bytes
//   value  of each record settled since the checkpoint before: u32 place in the block | u8 fate | u8 checks |
//          i64 offset | i64 when     little-endian, 22 bytes
//
// What no checkpoint has taken yet is in memory.
//
// Threads: the writer's side belongs to one thread; look-ups come from any and may read the disk.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/derived_store.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace holdfast::storage {

enum class record_fate : std::uint8_t {
    queued = 1,      // committed, or due: it is in its queue
    rolled_back = 2, // a half
    given_up = 3,    // a half that nobody decided: it is in TRANS_CHECK_MAX_TIME_TOPIC
    cancelled = 4,   // a delayed message
    topic_gone = 5,  // its topic was deleted before
};

struct settled_record {
    log_position position; // of the record
    record_fate fate{};
    queue_offset offset{-1}; // queued, given_up: where in its queue
    timestamp_ms when{};     // the entry's that settled it
    std::uint8_t checks = 0; // of a half: how often producers were asked; 255 = 255 or more

    friend bool operator==(const settled_record&, const settled_record&) = default;
};

// Adds them to a checkpoint. `last_entry` is the checkpoint's, and no earlier one's.
void put_settled(derived_batch& batch, std::vector<settled_record> settled, log_position last_entry);
// Of records below `first` nothing is asked any more. Keeps what shares a block with younger ones.
void forget_settled_below(derived_batch& batch, log_position first);

// All of records in [first, last), not in order. For audits.
result<void> for_each_settled(const derived_store& store, log_position first, log_position last,
                              const std::function<void(const settled_record&)>& visit);

// What a reader remembers between look-ups of neighbours: those of one block.
class settled_block {
    friend class delivery_index;
    std::uint64_t block_ = 0;
    std::vector<settled_record> records_; // by position
};

class delivery_index {
  public:
    explicit delivery_index(const derived_store& store) : store_(store) {}

    // --- the writer's side ---
    void add(std::span<const settled_record> settled);
    // The derived store now has these.
    void evict(std::span<const settled_record> settled);

    // --- the readers' side ---

    // Nothing: not settled yet, or never a record of that sort.
    [[nodiscard]] result<std::optional<settled_record>> find(log_position record) const;
    // The same, for who looks for many that are near to each other.
    [[nodiscard]] result<std::optional<settled_record>> find(log_position record, settled_block& near) const;
    // Only among what no checkpoint has taken yet; never waits for the disk.
    [[nodiscard]] std::optional<settled_record> find_recent(log_position record) const;

  private:
    const derived_store& store_;
    mutable std::mutex mutex_;
    std::unordered_map<log_position, settled_record> recent_;
};

} // namespace holdfast::storage
