// The words under which a record can be found: its UNIQ_KEY and each word of its KEYS (protocol
// reference 5.2).
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"
#include "storage/key_entry.hpp"

#include <string_view>
#include <vector>

namespace holdfast::broker {

// In the order of the properties, of equal names too; a word that occurs twice comes twice. A template,
// because the key indexer asks it of every message.
template <class Visit>
void for_each_key(const protocol::stored_message_view& record, Visit visit) {
    for (auto rest = record.properties; !rest.empty();) {
        const auto piece = protocol::take_piece(rest);
        if (const auto value = protocol::value_in(piece, protocol::property::unique_key); !value.empty())
            visit(value);
        for (auto words = protocol::value_in(piece, protocol::property::keys); !words.empty();) {
            const auto end = words.find(' ');
            if (end != 0)
                visit(words.substr(0, end));
            words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
        }
    }
}

[[nodiscard]] bool carries_key(const protocol::stored_message_view& record, std::string_view key);

// What the key index holds of all records of a verified entry at `position`: appended to `keys`.
result<void> append_keys(byte_view entry, log_position position, std::vector<storage::key_entry>& keys);

} // namespace holdfast::broker
