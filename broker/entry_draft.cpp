#include "broker/entry_draft.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {
namespace {

std::shared_ptr<std::byte[]> uninitialized(std::size_t size) {
    return std::shared_ptr<std::byte[]>(new std::byte[size]);
}

} // namespace

entry_draft::entry_draft(std::size_t body_capacity)
    : buffer_(uninitialized(storage::entry_header_size + body_capacity)),
      capacity_(storage::entry_header_size + body_capacity),
      size_(storage::entry_header_size) {}

std::byte* entry_draft::extend(std::size_t payload_size, command_header header) {
    if (size_ == 0)
        size_ = storage::entry_header_size;
    const auto footprint = command_footprint(payload_size);
    if (size_ + footprint > capacity_) {
        const auto wider = std::max(capacity_ * 2, size_ + footprint);
        auto grown = uninitialized(wider);
        if (buffer_)
            std::memcpy(grown.get(), buffer_.get(), size_);
        buffer_ = std::move(grown);
        capacity_ = wider;
    }
    auto* const payload = buffer_.get() + size_ + command_header_size;
    header.size = static_cast<std::uint32_t>(payload_size);
    header.back = static_cast<std::uint32_t>(size_ + command_header_size);
    encode_command_header(header, buffer_.get() + size_);
    std::fill(payload + payload_size, buffer_.get() + size_ + footprint, std::byte{0});
    size_ += footprint;
    ++count_;
    return payload;
}

std::span<std::byte> entry_draft::add_message(queue_key queue, std::int32_t tags, std::size_t size) {
    return add_record(command_kind::message, queue, tags, size);
}

std::span<std::byte> entry_draft::add_record(command_kind kind, queue_key queue, std::int32_t tags,
                                             std::size_t size) {
    command_header header;
    header.kind = kind;
    header.topic = queue.topic;
    header.queue = queue.queue;
    header.tags = tags;
    return {extend(size, header), size};
}

void entry_draft::add(command_kind kind, byte_view payload) {
    command_header header;
    header.kind = kind;
    auto* const to = extend(payload.size(), header);
    std::copy(payload.begin(), payload.end(), to);
}

shared_bytes entry_draft::release() {
    const byte_view view{buffer_.get(), size_};
    auto* const first = buffer_.get();
    shared_bytes bytes{std::shared_ptr<const void>{std::move(buffer_), first}, view};
    capacity_ = size_ = 0;
    count_ = 0;
    return bytes;
}

} // namespace holdfast::broker
