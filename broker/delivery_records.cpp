#include "broker/delivery_records.hpp"

#include "base/checksum.hpp"
#include "broker/field_codec.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <optional>

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

// --- lists of decisions

constexpr std::size_t unpacked_decision_bytes = 21;
constexpr std::ptrdiff_t longest_decision_run = 0xFFFF;
// Of positions in units of eight.
constexpr std::uint64_t places = std::uint64_t{1} << 61U;

// Small numbers of either sign as small numbers.
std::uint64_t fold(std::uint64_t difference) {
    return difference << 1U ^ (difference >> 63U != 0 ? ~std::uint64_t{0} : 0);
}
std::uint64_t unfold(std::uint64_t folded) {
    return folded >> 1U ^ ((folded & 1U) != 0 ? ~std::uint64_t{0} : 0);
}

void put_number(field_writer& out, std::uint64_t number) {
    for (; number >= 0x80U; number >>= 7U)
        out.put(static_cast<std::uint8_t>(number | 0x80U));
    out.put(static_cast<std::uint8_t>(number));
}

std::optional<std::uint64_t> take_number(field_reader& in) {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) { // the largest has 63 bits
        const auto digits = in.take<std::uint8_t>();
        number |= std::uint64_t{digits & 0x7FU} << shift;
        if (digits < 0x80U)
            return in.ok() ? std::optional{number} : std::nullopt;
    }
    return std::nullopt;
}

result<std::vector<decision>> decode_unpacked(byte_view bytes) {
    if (bytes.size() % unpacked_decision_bytes != 0)
        return malformed("decisions of transactions");
    std::vector<decision> decisions(bytes.size() / unpacked_decision_bytes);
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

result<std::vector<decision>> decode_packed(byte_view bytes) {
    std::vector<decision> decisions;
    field_reader in{bytes};
    std::uint64_t place = 0;
    while (in.remaining() > 0) {
        const auto checksum = in.take<std::uint32_t>();
        auto left = in.take<std::uint16_t>();
        if (left == 0 || left > in.remaining()) // each takes a byte at least
            return malformed("decisions of transactions");
        for (; left > 0; --left) {
            const auto number = take_number(in);
            if (!number)
                return malformed("decisions of transactions");
            place += unfold(*number >> 1U);
            if (place >= places)
                return malformed("decisions of transactions");
            const auto half = place * command_alignment;
            decisions.push_back({log_position{half}, static_cast<std::int64_t>(half), checksum,
                                 (*number & 1U) != 0 ? decision_kind::commit : decision_kind::rollback});
        }
    }
    return decisions;
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

bool may_name_a_half(const decision& decided) {
    return decided.half.value() % command_alignment == 0 &&
           decided.number == static_cast<std::int64_t>(decided.half.value());
}

std::string encode(const std::vector<decision>& decisions) {
    field_writer out;
    std::uint64_t previous = 0;
    for (auto first = decisions.begin(); first != decisions.end();) {
        const auto checksum = first->group_checksum;
        const auto longest = first + std::min<std::ptrdiff_t>(decisions.end() - first, longest_decision_run);
        const auto last =
            std::find_if(first, longest, [&](const decision& one) { return one.group_checksum != checksum; });
        out.put(checksum).put(static_cast<std::uint16_t>(last - first));
        for (; first != last; ++first) {
            HOLDFAST_CHECK(may_name_a_half(*first));
            const auto place = first->half.value() / command_alignment;
            put_number(out, fold(place - previous) << 1U | (first->kind == decision_kind::commit ? 1U : 0U));
            previous = place;
        }
    }
    return out.take();
}

result<std::vector<decision>> decode_decisions(command_kind kind, byte_view bytes) {
    return kind == command_kind::packed_decisions ? decode_packed(bytes) : decode_unpacked(bytes);
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
