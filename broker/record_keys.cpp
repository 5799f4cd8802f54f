#include "broker/record_keys.hpp"

#include "broker/command.hpp"
#include "storage/entry.hpp"

#include <algorithm>

namespace holdfast::broker {

bool carries_key(const protocol::stored_message_view& record, std::string_view key) {
    bool found = false;
    for_each_key(record, [&](std::string_view one) { found = found || one == key; });
    return found;
}

namespace {

// A word that occurs twice in one record is one key of it.
void remove_repeated(std::vector<storage::key_entry>& keys, std::size_t first) {
    if (keys.size() - first < 2)
        return;
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, keys.end(), [](const auto& left, const auto& right) { return left.hash < right.hash; });
    keys.erase(std::unique(begin, keys.end(),
                           [](const auto& left, const auto& right) { return left.hash == right.hash; }),
               keys.end());
}

} // namespace

result<void> append_keys(byte_view entry, log_position position, std::vector<storage::key_entry>& keys) {
    command_cursor cursor{entry, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure();
        if (!has_record(command->header.kind))
            continue;
        const auto record = protocol::decode_stored_message(command->payload);
        if (!record.ok())
            return record.failure();
        const auto first = keys.size();
        for_each_key(*record, [&](std::string_view key) {
            keys.push_back(
                {storage::hash_key(record->topic, key), position + command->payload_offset, record->stored});
        });
        remove_repeated(keys, first);
    }
    return {};
}

} // namespace holdfast::broker
