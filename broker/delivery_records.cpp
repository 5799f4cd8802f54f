#include "broker/delivery_records.hpp"

#include "base/checksum.hpp"
#include "broker/field_codec.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>

namespace holdfast::broker {
namespace {

constexpr std::size_t check_bytes = 9;
constexpr std::size_t delivery_bytes = 32;
constexpr std::size_t key_bytes = 16;

error malformed(std::string_view what) {
    return {errc::corrupted, std::string{what} + " in the log do not follow their format"};
}

// The record's own size, when it and a trailer of `trailer` bytes are the whole payload.
result<std::uint32_t> record_size(byte_view payload, std::size_t trailer, std::string_view what) {
    if (payload.size() < protocol::stored_message_fixed_bytes + trailer)
        return malformed(what);
    const auto size = load_big<std::uint32_t>(payload.data());
    if (payload.size() - trailer != size)
        return malformed(what);
    return size;
}

} // namespace

void encode(const half_trailer& trailer, std::byte* to) {
    store_little(to, trailer.immunity_ms);
    store_little(to + 4, trailer.group_at);
    store_little(to + 8, trailer.group_size);
    store_little(to + 10, std::uint16_t{0});
}

result<half_payload> decode_half(byte_view payload) {
    const auto size = record_size(payload, half_trailer_bytes, "half messages");
    if (!size.ok())
        return size.failure();
    const auto* const trailer = payload.data() + *size;
    const auto group_at = load_little<std::uint32_t>(trailer + 4);
    const auto group_size = load_little<std::uint16_t>(trailer + 8);
    if (group_at > *size || group_size > *size - group_at)
        return malformed("half messages");
    return half_payload{*size, load_little<std::int32_t>(trailer),
                        as_text(payload.subspan(group_at, group_size))};
}

result<delayed_payload> decode_delayed(byte_view payload) {
    const auto size = record_size(payload, delayed_trailer_bytes, "delayed messages");
    if (!size.ok())
        return size.failure();
    return delayed_payload{*size, timestamp_ms{load_little<std::int64_t>(payload.data() + *size)}};
}

void settle_due(std::byte* payload, std::size_t size, timestamp_ms appended) {
    auto* const trailer = payload + size - delayed_trailer_bytes;
    const auto asked = load_little<std::int64_t>(trailer);
    const auto due = asked < 0 ? appended.value() - asked : asked;
    store_little(trailer, std::max(due, appended.value() + 1));
}

std::uint32_t group_checksum_of(std::string_view group) {
    return crc32c(as_bytes(group));
}

std::string encode(const std::vector<decision>& decisions) {
    field_writer out;
    for (const auto& decided : decisions)
        out.put(decided.half.value())
            .put(decided.number)
            .put(decided.group_checksum)
            .put(static_cast<std::uint8_t>(decided.kind));
    return out.take();
}

result<std::vector<decision>> decode_decisions(byte_view bytes) {
    if (bytes.size() % decision_bytes != 0)
        return malformed("decisions of transactions");
    std::vector<decision> decisions(bytes.size() / decision_bytes);
    field_reader in{bytes};
    for (auto& decided : decisions) {
        decided.half = log_position{in.take<std::uint64_t>()};
        decided.number = in.take<std::int64_t>();
        decided.group_checksum = in.take<std::uint32_t>();
        decided.kind = static_cast<decision_kind>(in.take<std::uint8_t>());
        if (decided.kind != decision_kind::commit && decided.kind != decision_kind::rollback)
            return malformed("decisions of transactions");
    }
    return decisions;
}

std::string encode(const std::vector<half_check>& checks) {
    field_writer out;
    for (const auto& check : checks)
        out.put(check.half.value()).put(static_cast<std::uint8_t>(check.kind));
    return out.take();
}

result<std::vector<half_check>> decode_half_checks(byte_view bytes) {
    if (bytes.size() % check_bytes != 0)
        return malformed("checks of transactions");
    std::vector<half_check> checks(bytes.size() / check_bytes);
    field_reader in{bytes};
    for (auto& check : checks) {
        check.half = log_position{in.take<std::uint64_t>()};
        check.kind = static_cast<half_check_kind>(in.take<std::uint8_t>());
        if (check.kind != half_check_kind::sent && check.kind != half_check_kind::given_up)
            return malformed("checks of transactions");
    }
    return checks;
}

std::string encode(const deliveries& due) {
    field_writer out;
    out.put(due.version);
    for (const auto& message : due.messages)
        out.put(message.key.due.value())
            .put(message.key.position.value())
            .put(message.queue.topic.value())
            .put(message.queue.queue.value())
            .put(message.size)
            .put(message.tags);
    return out.take();
}

result<deliveries> decode_deliveries(byte_view bytes) {
    field_reader in{bytes};
    deliveries due;
    due.version = in.take<std::uint64_t>();
    if (!in.ok() || in.remaining() % delivery_bytes != 0)
        return malformed("deliveries of delayed messages");
    due.messages.resize(in.remaining() / delivery_bytes);
    for (auto& message : due.messages) {
        message.key.due = timestamp_ms{in.take<std::int64_t>()};
        message.key.position = log_position{in.take<std::uint64_t>()};
        message.queue.topic = topic_id{in.take<std::uint32_t>()};
        message.queue.queue = queue_number{in.take<std::uint32_t>()};
        message.size = in.take<std::uint32_t>();
        message.tags = in.take<std::int32_t>();
    }
    return due;
}

std::string encode(const cancellations& cancelled) {
    field_writer out;
    out.put(cancelled.version);
    for (const auto& key : cancelled.keys)
        out.put(key.due.value()).put(key.position.value());
    return out.take();
}

result<cancellations> decode_cancellations(byte_view bytes) {
    field_reader in{bytes};
    cancellations cancelled;
    cancelled.version = in.take<std::uint64_t>();
    if (!in.ok() || in.remaining() % key_bytes != 0)
        return malformed("cancellations of delayed messages");
    cancelled.keys.resize(in.remaining() / key_bytes);
    for (auto& key : cancelled.keys) {
        key.due = timestamp_ms{in.take<std::int64_t>()};
        key.position = log_position{in.take<std::uint64_t>()};
    }
    return cancelled;
}

} // namespace holdfast::broker
