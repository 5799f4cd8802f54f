#include "consensus/message_frames.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::consensus {
namespace {

constexpr std::uint8_t slice_kind = 130;
constexpr std::uint8_t last_slice_kind = 131;
constexpr std::size_t slice_head_bytes = 1 + 8 + 8;

std::string slice_head(std::uint8_t kind, std::size_t offset, std::size_t total, const std::string& head) {
    std::byte numbers[slice_head_bytes];
    numbers[0] = std::byte{kind};
    store_little(numbers + 1, static_cast<std::uint64_t>(offset));
    store_little(numbers + 9, static_cast<std::uint64_t>(total));
    return std::string{reinterpret_cast<const char*>(numbers), sizeof numbers} + head;
}

std::size_t size_of(const std::vector<shared_bytes>& parts) {
    std::size_t bytes = 0;
    for (const auto& part : parts)
        bytes += part.size();
    return bytes;
}

// The next `slice_bytes` of the entries; `entry` and `offset` say where, and move on.
std::vector<shared_bytes> next_slice(const std::vector<shared_bytes>& entries, std::size_t& entry,
                                     std::size_t& offset) {
    std::vector<shared_bytes> slice;
    for (auto room = slice_bytes; room > 0 && entry < entries.size();) {
        const auto count = std::min(room, entries[entry].size() - offset);
        slice.push_back(entries[entry].slice(offset, count));
        room -= count;
        offset += count;
        if (offset == entries[entry].size()) {
            ++entry;
            offset = 0;
        }
    }
    return slice;
}

error malformed(const char* what) {
    return {errc::malformed, std::string{"a slice of a message "} + what};
}

} // namespace

std::vector<message_frame> to_frames(message what) {
    auto head = encode_head(what);
    auto* const request = std::get_if<append_request>(&what.body);
    if (request == nullptr)
        return {{std::move(head), {}}};
    const auto entries = std::exchange(request->entries, {});
    const auto total = size_of(entries);
    if (total <= slice_bytes)
        return {{std::move(head), entries}};
    const auto heartbeat = encode_head(what);
    std::vector<message_frame> frames;
    std::size_t entry = 0;
    std::size_t offset = 0;
    for (std::size_t sent = 0; sent < total; sent += slice_bytes) {
        const bool is_last = total - sent <= slice_bytes;
        frames.push_back(
            {slice_head(is_last ? last_slice_kind : slice_kind, sent, total, is_last ? head : heartbeat),
             next_slice(entries, entry, offset)});
    }
    return frames;
}

result<message> frame_reader::receive(std::string_view head, const shared_bytes& body) {
    const auto kind = head.empty() ? 0 : static_cast<std::uint8_t>(head.front());
    if (kind == slice_kind || kind == last_slice_kind)
        return receive_slice(head, body);
    return decode_message(head, body);
}

result<message> frame_reader::receive_slice(std::string_view head, const shared_bytes& body) {
    if (head.size() < slice_head_bytes)
        return malformed("is cut short");
    const auto* const numbers = reinterpret_cast<const std::byte*>(head.data());
    const bool is_last = static_cast<std::uint8_t>(head.front()) == last_slice_kind;
    const auto offset = load_little<std::uint64_t>(numbers + 1);
    const auto total = load_little<std::uint64_t>(numbers + 9);
    if (total > most_sliced_bytes || offset > total || body.size() > total - offset ||
        is_last != (body.size() == total - offset))
        return malformed("has wrong sizes");
    if (offset == 0) {
        gathered_.reset(new std::byte[total]);
        total_ = total;
        received_ = 0;
    }
    // Without the one before it a slice is a heartbeat still.
    if (!gathered_ || total != total_ || offset != received_)
        gathered_.reset();
    const auto message_head = head.substr(slice_head_bytes);
    if (is_last && !gathered_)
        return malformed("is the last one, and others are missing; the message is asked for again");
    if (gathered_) {
        std::copy_n(body.data(), body.size(), gathered_.get() + offset);
        received_ += body.size();
    }
    if (!is_last)
        return decode_message(message_head, {});
    const byte_view all{gathered_.get(), total_};
    const shared_bytes whole{std::exchange(gathered_, nullptr), all};
    return decode_message(message_head, whole);
}

} // namespace holdfast::consensus
