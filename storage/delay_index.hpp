// The delayed messages that are not due yet: one table in order of time, in the derived store, and over it
// what no checkpoint has taken yet. Millions may be pending: memory holds only what came since the last
// checkpoint.
//
//   key    'y' | due u64 | record position u64                                          big-endian, 17 bytes
//   value  topic_id u32 | queue number u32 | record size u32 | tags hash i32            little-endian
//
// Everything at or below the cursor has been delivered; what the store still holds of it is not seen here and
// goes with the next checkpoint.
//
// Threads: the writer's side belongs to one thread; reads come from any. One mutex, held for a copy.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/derived_store.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::storage {

// The order of the table. `due` is never negative.
struct delay_key {
    timestamp_ms due;
    log_position position; // of the record
    friend auto operator<=>(const delay_key&, const delay_key&) = default;
};

struct delayed_message {
    delay_key key;
    queue_key queue; // where it goes
    std::uint32_t size = 0;
    std::int32_t tags = 0;

    friend bool operator==(const delayed_message&, const delayed_message&) = default;
};

[[nodiscard]] std::string delay_store_key(const delay_key& key);
[[nodiscard]] std::string encode_delay_value(const delayed_message& message);
// Nothing when they are not what the two above make.
[[nodiscard]] std::optional<delayed_message> decode_delayed(std::string_view key, std::string_view value);

class delay_index {
  public:
    // `version` and `cursor` as a start finds them; everything pending is in `store` then.
    delay_index(const derived_store& store, std::uint64_t version, delay_key cursor)
        : store_(store), version_(version), cursor_(cursor) {}

    // --- the writer's side ---

    void add(std::span<const delayed_message> messages);
    // `at`: the entry that said so.
    void remove(std::span<const delay_key> cancelled, log_position at);
    // Everything up to `cursor` is delivered.
    void advance(std::uint64_t version, delay_key cursor);
    // The derived store now has everything that entries below `applied` said.
    void evict(log_position applied);

    // --- the readers' side ---

    struct due_messages {
        std::uint64_t version = 0; // of the table they were read from
        std::vector<delayed_message> messages;
    };
    // Up to `limit` pending messages that are due at or before `until`, in order. Reads the disk.
    [[nodiscard]] result<due_messages> due(timestamp_ms until, std::size_t limit) const;
    // All pending ones of exactly that moment. Reads the disk.
    [[nodiscard]] result<std::vector<delayed_message>> at(timestamp_ms due) const;
    // The one that is due first; for sleeping until then. Reads the disk.
    [[nodiscard]] result<std::optional<delayed_message>> next() const;
    // Whether it is pending, and as what. Reads the disk.
    [[nodiscard]] result<std::optional<delayed_message>> find(const delay_key& key) const;
    [[nodiscard]] std::uint64_t version() const;
    // What came since the last checkpoint; a measure of memory.
    [[nodiscard]] std::size_t in_memory() const;

  private:
    struct recent_change {
        std::optional<delayed_message> added; // nothing: cancelled
        log_position at;
    };
    using changes = std::map<delay_key, recent_change>;

    // In [first, until], behind the cursor.
    result<due_messages> range(delay_key first, timestamp_ms until, std::size_t limit) const;

    const derived_store& store_;
    mutable std::mutex mutex_;
    std::uint64_t version_;
    delay_key cursor_;
    changes recent_;
};

} // namespace holdfast::storage
