// The stored message record: what pulls, queries and transaction checks carry, and what the log keeps of each
// message (protocol reference 5.1). Big-endian throughout.
//
// Written records always have 4-byte hosts and the v1 magic (1-byte topic length), so their fields stand at
// fixed places and can be patched: a record is built once by the sender's session and completed where the
// numbers become known (position at append, queue offset at read). Reading understands IPv6 hosts and the v2
// magic too.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/codes.hpp"
#include "protocol/host.hpp"
#include "protocol/limits.hpp"
#include "protocol/properties.hpp"

#include <optional>
#include <string_view>

namespace holdfast::protocol {

// Byte offsets in a record as we write it.
namespace stored_message_at {
inline constexpr std::size_t total_size = 0;
inline constexpr std::size_t magic = 4;
inline constexpr std::size_t body_crc = 8;
inline constexpr std::size_t queue_id = 12;
inline constexpr std::size_t flag = 16;
inline constexpr std::size_t queue_offset = 20;
inline constexpr std::size_t physical_offset = 28;
inline constexpr std::size_t sys_flag = 36;
inline constexpr std::size_t born_timestamp = 40;
inline constexpr std::size_t born_host = 48;
inline constexpr std::size_t store_timestamp = 56;
inline constexpr std::size_t store_host = 64;
inline constexpr std::size_t reconsume_times = 72;
inline constexpr std::size_t prepared_transaction_offset = 76;
inline constexpr std::size_t body_length = 84;
inline constexpr std::size_t body = 88;
} // namespace stored_message_at

inline constexpr std::uint32_t stored_message_magic = 0xDAA320A7;
inline constexpr std::uint32_t stored_message_magic_v2 = 0xDAA320AB; // 2-byte topic length; read only
// 84 bytes of fields and the three lengths of body, topic and properties.
inline constexpr std::size_t stored_message_fixed_bytes = 91;

// Everything a record says. Sizes and the checksum are computed.
struct stored_message {
    queue_number queue{};
    std::int32_t flag = 0;
    queue_offset offset{};
    log_position position{};
    std::int32_t sys_flag = 0; // the IPv6 bits are cleared: only IPv4 hosts are written
    timestamp_ms born{};
    ipv4_host born_host{};
    timestamp_ms stored{};
    ipv4_host store_host{};
    std::int32_t reconsume_times = 0;
    log_position prepared_transaction{}; // the half message's position for a committed one, else 0
    byte_view body{};
    std::string_view topic{};      // at most limits::max_topic_bytes
    std::string_view properties{}; // as received
    // What the broker adds, in properties form; a separator that `properties` lacks is inserted before it.
    std::string_view more_properties{};

    // Bytes of properties in the record.
    [[nodiscard]] std::size_t properties_bytes() const {
        return properties.size() + more_properties.size() + (needs_separator() ? 1 : 0);
    }
    [[nodiscard]] bool needs_separator() const {
        return !properties.empty() && !more_properties.empty() && properties.back() != property_separator;
    }
    // Bytes of the whole record.
    [[nodiscard]] std::size_t size() const {
        return stored_message_fixed_bytes + body.size() + topic.size() + properties_bytes();
    }
    // Whether topic, properties and the whole fit the record's length fields (T20).
    [[nodiscard]] result<void> check() const;
};

// Writes the record to `to`, which has room for message.size() bytes. The message must pass its own check().
void write_stored_message(std::byte* to, const stored_message& message);

// bodyCRC: the lower 31 bits of the CRC-32 (IEEE) of the body as stored.
[[nodiscard]] std::uint32_t stored_body_crc(byte_view body);

// Changing one field of a record as we write it.
inline void patch_queue_id(std::byte* record, queue_number queue) {
    store_big(record + stored_message_at::queue_id, queue.value());
}
inline void patch_queue_offset(std::byte* record, queue_offset offset) {
    store_big(record + stored_message_at::queue_offset, offset.value());
}
inline void patch_physical_offset(std::byte* record, log_position position) {
    store_big(record + stored_message_at::physical_offset, position.value());
}
inline void patch_sys_flag(std::byte* record, std::int32_t flags) {
    store_big(record + stored_message_at::sys_flag, flags);
}
inline void patch_store_timestamp(std::byte* record, timestamp_ms time) {
    store_big(record + stored_message_at::store_timestamp, time.value());
}
inline void patch_store_host(std::byte* record, const ipv4_host& host) {
    store_big(record + stored_message_at::store_host, host.address);
    store_big(record + stored_message_at::store_host + 4, host.port);
}
inline void patch_reconsume_times(std::byte* record, std::int32_t times) {
    store_big(record + stored_message_at::reconsume_times, times);
}
inline void patch_prepared_transaction(std::byte* record, log_position half) {
    store_big(record + stored_message_at::prepared_transaction_offset, half.value());
}

// One record, read. Views point into the bytes it was decoded from.
struct stored_message_view {
    std::uint32_t size = 0; // bytes of the whole record
    std::uint32_t magic = stored_message_magic;
    std::uint32_t body_crc = 0;
    std::int32_t queue_id = 0;
    std::int32_t flag = 0;
    queue_offset offset{};
    std::int64_t physical_offset = 0;
    std::int32_t sys_flag = 0;
    timestamp_ms born{};
    stored_host born_host{};
    timestamp_ms stored{};
    stored_host store_host{};
    std::int32_t reconsume_times = 0;
    std::int64_t prepared_transaction_offset = 0;
    byte_view body{};
    std::string_view topic{};
    std::string_view properties{};

    [[nodiscard]] bool body_is_intact() const { return body_crc == stored_body_crc(body); }
    [[nodiscard]] std::optional<std::string_view> property(std::string_view name) const {
        return find_property(properties, name);
    }
};

// The record at the beginning of `bytes`; more may follow it. Every length is checked against the record's
// size; the body's checksum is not (no client does; ask body_is_intact()).
//   malformed  too short, contradicting lengths, or a magic that is no message's
[[nodiscard]] result<stored_message_view> decode_stored_message(byte_view bytes);

// Walks concatenated records, as in the body of a pull's answer:
//     stored_message_reader reader{body};
//     while (auto next = reader.next()) { if (!*next) ...error...; use(**next); }
class stored_message_reader {
  public:
    explicit stored_message_reader(byte_view bytes) : rest_(bytes) {}

    // The next record, an error once if the bytes can't be followed, then and at the end nothing.
    [[nodiscard]] std::optional<result<stored_message_view>> next();

  private:
    byte_view rest_;
};

} // namespace holdfast::protocol
