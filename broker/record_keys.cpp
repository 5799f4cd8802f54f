#include "broker/record_keys.hpp"

#include "broker/command.hpp"
#include "storage/entry.hpp"

namespace holdfast::broker {

bool carries_key(const protocol::stored_message_view& record, std::string_view key) {
    bool found = false;
    for_each_key(record, [&](std::string_view one) { found = found || one == key; });
    return found;
}

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
        for_each_key(*record, [&](std::string_view key) {
            keys.push_back(
                {storage::hash_key(record->topic, key), position + command->payload_offset, record->stored});
        });
    }
    return {};
}

} // namespace holdfast::broker
