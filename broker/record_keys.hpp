// The words under which a record can be found: its UNIQ_KEY and each word of its KEYS (protocol
// reference 5.2).
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/stored_message.hpp"
#include "storage/key_index.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace holdfast::broker {

// In the order of the properties; a word that occurs twice comes twice.
void for_each_key(const protocol::stored_message_view& record,
                  const std::function<void(std::string_view)>& visit);

[[nodiscard]] bool carries_key(const protocol::stored_message_view& record, std::string_view key);

// What the key index holds of all records of a verified entry at `position`: appended to `keys`.
result<void> append_keys(byte_view entry, log_position position, std::vector<storage::key_entry>& keys);

} // namespace holdfast::broker
