// The head of a message: kind u8, id u64, then of a question the entry's position u64 and the offset u64, of
// an answer the refusal as u16 length and bytes. Little-endian.
#include "broker/log_bytes.hpp"

#include "storage/read_entries.hpp"

#include <algorithm>

namespace holdfast::broker {

namespace {

// Raft's kinds are small numbers (consensus/message_codec.cpp).
constexpr std::uint8_t request_kind = 128;
constexpr std::uint8_t answer_kind = 129;
constexpr std::size_t kind_size = 1;
constexpr std::size_t request_size = kind_size + 3 * sizeof(std::uint64_t);
constexpr std::size_t answer_size = kind_size + sizeof(std::uint64_t) + sizeof(std::uint16_t);
constexpr std::size_t longest_refusal = 1'000;

const std::byte* at(std::string_view head, std::size_t offset) {
    return reinterpret_cast<const std::byte*>(head.data()) + offset;
}

template <std::integral T>
void append(std::string& to, T value) {
    std::byte bytes[sizeof value];
    store_little(bytes, value);
    to.append(reinterpret_cast<const char*>(bytes), sizeof value);
}

error malformed() {
    return {errc::malformed, "a message about log bytes that is none"};
}

} // namespace

std::string encode_head(const log_bytes_message& what) {
    std::string head;
    if (const auto* const request = std::get_if<log_bytes_request>(&what)) {
        append(head, request_kind);
        append(head, request->id);
        append(head, request->entry.value());
        append(head, request->offset);
        return head;
    }
    const auto& answer = std::get<log_bytes_answer>(what);
    const auto refusal = std::string_view{answer.refusal}.substr(0, longest_refusal);
    append(head, answer_kind);
    append(head, answer.id);
    append(head, static_cast<std::uint16_t>(refusal.size()));
    head += refusal;
    return head;
}

bool is_log_bytes_message(std::string_view head) {
    if (head.empty())
        return false;
    const auto kind = load_little<std::uint8_t>(at(head, 0));
    return kind == request_kind || kind == answer_kind;
}

result<log_bytes_message> decode_log_bytes_message(std::string_view head, const shared_bytes& body) {
    if (!is_log_bytes_message(head) || head.size() < answer_size)
        return malformed();
    const auto id = load_little<std::uint64_t>(at(head, kind_size));
    auto offset = kind_size + sizeof id;
    if (load_little<std::uint8_t>(at(head, 0)) == request_kind) {
        if (head.size() != request_size || !body.empty())
            return malformed();
        const log_position entry{load_little<std::uint64_t>(at(head, offset))};
        return log_bytes_message{
            log_bytes_request{id, entry, load_little<std::uint64_t>(at(head, offset + sizeof id))}};
    }
    const std::size_t length = load_little<std::uint16_t>(at(head, offset));
    if (length > longest_refusal || head.size() != answer_size + length || body.size() > most_log_bytes)
        return malformed();
    std::string refusal{head.substr(answer_size)};
    std::replace_if(
        refusal.begin(), refusal.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return log_bytes_message{log_bytes_answer{id, std::move(refusal)}};
}

log_bytes_found find_log_bytes(storage::log_reader& reader, const storage::segment_set& segments,
                               const log_bytes_request& request) {
    log_bytes_found found{{request.id, {}}, {}};
    auto stretch = storage::read_entries(reader, segments, request.entry, segments.written(), most_log_bytes);
    if (!stretch.ok() || stretch->entries.empty()) {
        found.answer.refusal =
            stretch.ok() ? "its log ends before log position " + std::to_string(request.entry.value())
                         : stretch.failure().message;
        return found;
    }
    const auto& first = stretch->entries.front();
    if (request.offset >= first.size()) {
        found.answer.refusal = "its entry at log position " + std::to_string(request.entry.value()) +
                               " is shorter than what was asked for";
        return found;
    }
    std::size_t left = most_log_bytes;
    auto skipped = static_cast<std::size_t>(request.offset);
    for (const auto& entry : stretch->entries) {
        const auto count = std::min(entry.size() - skipped, left);
        if (count > 0)
            found.bytes.push_back(entry.slice(skipped, count));
        left -= count;
        skipped = 0;
    }
    return found;
}

} // namespace holdfast::broker
