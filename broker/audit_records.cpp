#include "broker/audit_records.hpp"

#include "broker/command.hpp"
#include "broker/delivery_records.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"
#include "storage/entry.hpp"

#include <optional>

namespace holdfast::broker {
namespace {

using complaint = std::optional<std::string>;

complaint differs(const char* what, std::int64_t record, std::int64_t expected) {
    if (record == expected)
        return std::nullopt;
    return std::string{what} + " is " + std::to_string(record) + " in the record, not " +
           std::to_string(expected);
}

complaint check_record(const command_view& command, log_position position, const state* known) {
    const auto& header = command.header;
    const auto record = protocol::decode_stored_message(command.payload);
    if (!record.ok())
        return "the stored record can't be read: " + record.failure().message;
    if (!record->body_is_intact())
        return "the body of the message does not match its checksum (bodyCRC)";
    const auto size = static_cast<std::int64_t>(header.size - trailer_bytes(header.kind));
    const auto tag = record->property(protocol::property::tags).value_or("");
    const auto hash = tag.empty() ? 0 : static_cast<std::int64_t>(protocol::java_hash(tag));
    for (auto& wrong : {differs("the size", record->size, size),
                        differs("the queue", record->queue_id, header.queue.value()),
                        differs("the physical offset", record->physical_offset,
                                static_cast<std::int64_t>(position.value())),
                        differs("the hash of the tag", hash, header.tags)})
        if (wrong)
            return wrong;
    // Where the topic was deleted before, the message is in no queue.
    const auto topic = known == nullptr ? nullptr : known->find_topic(header.topic);
    if (topic && topic->name != record->topic)
        return "the record names the topic " + std::string{record->topic} + ", its command the topic " +
               topic->name;
    return std::nullopt;
}

} // namespace

bool check_entry(const storage::scanned_entry& entry, const std::string& file, const state* known,
                 audit_report& report) {
    const auto complain = [&](log_position position, std::string what) {
        report.add({audit_part::log, file, position, std::move(what),
                    "its checksum holds, so it was written like this: keep the file and report it as a bug"});
    };
    ++report.entries;
    command_cursor cursor{entry.bytes, storage::entry_header_size};
    std::uint32_t count = 0;
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok()) {
            complain(entry.header.position, command.failure().message);
            return false;
        }
        ++count;
        const auto at = entry.header.position + command->payload_offset;
        if (!has_record(command->header.kind))
            continue;
        ++report.records;
        if (auto wrong = check_record(*command, at, known))
            complain(at, std::move(*wrong));
    }
    report.commands += count;
    if (count != entry.header.count)
        complain(entry.header.position, "the entry's header counts " + std::to_string(entry.header.count) +
                                            " commands, there are " + std::to_string(count));
    return true;
}

} // namespace holdfast::broker
