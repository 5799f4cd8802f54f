#include "broker/served_record.hpp"

#include "broker/command.hpp"
#include "protocol/stored_message.hpp"

namespace holdfast::broker {

void complete_served_record(byte_view entry, std::size_t offset, std::size_t size, queue_offset at,
                            std::byte* copy) {
    protocol::patch_queue_offset(copy, at);
    const auto kind = kind_at(entry, offset);
    if (kind == command_kind::message)
        return;
    if (kind == command_kind::half) {
        const auto flags = load_big<std::int32_t>(copy + protocol::stored_message_at::sys_flag);
        protocol::patch_sys_flag(copy, (flags & ~protocol::sys_flag::transaction_mask) |
                                           protocol::sys_flag::transaction_commit);
        protocol::patch_prepared_transaction(
            copy, log_position{load_big<std::uint64_t>(copy + protocol::stored_message_at::physical_offset)});
    } else if (kind == command_kind::delayed && offset + size + sizeof(std::int64_t) <= entry.size()) {
        protocol::patch_store_timestamp(
            copy, timestamp_ms{load_little<std::int64_t>(entry.data() + offset + size)});
    }
}

} // namespace holdfast::broker
