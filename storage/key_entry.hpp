// What the key index says of one record and one of its keys.
#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <string_view>

namespace holdfast::storage {

// Stored for good (a change makes every old entry unfindable), hence pinned by a golden test: XXH3, 64 bits,
// seed 0, of topic + '#' + key.
[[nodiscard]] std::uint64_t hash_key(std::string_view topic, std::string_view key);

struct key_entry {
    std::uint64_t hash = 0; // hash_key(topic, key)
    log_position position;  // of the stored record
    timestamp_ms stored_at;
    friend bool operator==(const key_entry&, const key_entry&) = default;
};

} // namespace holdfast::storage
