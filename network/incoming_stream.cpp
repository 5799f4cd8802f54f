#include "network/incoming_stream.hpp"

#include "protocol/frame.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::network {

namespace {

// A frame's beginning up to this size is moved out of its read buffer, so that a connection that waits for
// the rest does not occupy 64 KiB.
constexpr std::size_t carry_max_bytes = 4U << 10U;
// Frames that fill less than this part of their buffer are copied out of it: a short request that stays
// around must not keep 64 KiB alive.
constexpr std::size_t sparse_part = 8;
constexpr std::size_t growth = 4;
constexpr int small_reads_before_shrinking = 4;

// The two strangers who most often knock at the wrong port.
error explain(const error& failure, byte_view bytes) {
    const auto text = as_text(bytes);
    if (text.starts_with("\x16\x03"))
        return {errc::not_supported, "this is TLS, which is not offered here"};
    for (const auto* method : {"GET ", "POST", "HEAD", "PUT ", "PRI "})
        if (text.starts_with(method))
            return {errc::not_supported, "this is HTTP; here RocketMQ's remoting protocol is spoken"};
    return failure;
}

} // namespace

result<std::span<std::byte>> incoming_stream::room() {
    if (!buffer_) {
        buffer_ = pool_->take(read_size_);
        filled_ = carried_.size();
        if (filled_ != 0)
            std::memcpy(buffer_->data(), carried_.data(), filled_);
        carried_ = {};
    } else if (filled_ == buffer_->capacity()) {
        grow();
    }
    if (must_yield())
        return error{errc::too_large,
                     "memory for requests that have arrived in part is used up (maxIncomingBytes), and this "
                     "connection holds more than its share"};
    return std::span{buffer_->data() + filled_, buffer_->capacity() - filled_};
}

// Only a frame longer than the buffer fills it without an end, so its size is known.
void incoming_stream::grow() {
    const auto capacity = std::min(frame_size_, buffer_->capacity() * 2);
    HOLDFAST_CHECK(capacity > filled_);
    auto larger = pool_->take(capacity);
    std::memcpy(larger->data(), buffer_->data(), filled_);
    buffer_ = std::move(larger);
    hold(buffer_->capacity());
}

incoming_stream::outcome incoming_stream::received(std::size_t count) {
    HOLDFAST_CHECK(buffer_ && count <= buffer_->capacity() - filled_);
    if (count != 0)
        adapt_read_size(count, buffer_->capacity() - filled_);
    filled_ += count;

    outcome result;
    std::vector<frame_range> ranges;
    std::size_t first = 0;
    while (first < filled_) {
        if (first != 0 || frame_size_ == 0) {
            const auto size = protocol::peek_frame_size({buffer_->data() + first, filled_ - first});
            if (!size) {
                result.failure = explain(size.failure(), {buffer_->data() + first, filled_ - first});
                break;
            }
            frame_size_ = size->value_or(0);
        }
        if (frame_size_ == 0 || filled_ - first < frame_size_)
            break;
        ranges.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(frame_size_)});
        first += frame_size_;
        frame_size_ = 0;
    }
    const auto remainder_is_shared = !ranges.empty();
    if (!ranges.empty())
        result.frames = hand_over(std::move(ranges), first);
    keep_remainder(first, remainder_is_shared);
    return result;
}

frame_batch incoming_stream::hand_over(std::vector<frame_range> ranges, std::size_t complete) {
    const byte_view bytes{buffer_->data(), complete};
    if (complete < buffer_->capacity() / sparse_part)
        return {shared_bytes::copy_of(bytes), std::move(ranges)};
    return {shared_bytes{buffer_, bytes}, std::move(ranges)};
}

void incoming_stream::keep_remainder(std::size_t first, bool is_shared) {
    const byte_view rest{buffer_->data() + first, filled_ - first};
    if (rest.size() <= carry_max_bytes) {
        carried_ = {};
        carried_.append(rest);
        buffer_.reset();
        filled_ = 0;
        hold(carried_.capacity());
        return;
    }
    if (is_shared) {
        // Room for as much again as there is, or the whole frame if that is less.
        const auto wanted = std::max(read_buffer_min_bytes, std::min(frame_size_, rest.size() * 2));
        auto fresh = pool_->take(std::max(wanted, rest.size() + 1));
        std::memcpy(fresh->data(), rest.data(), rest.size());
        filled_ = rest.size();
        buffer_ = std::move(fresh);
    }
    hold(buffer_->capacity());
}

void incoming_stream::adapt_read_size(std::size_t count, std::size_t offered) {
    if (count == offered) {
        read_size_ = std::min(read_size_ * growth, read_buffer_max_bytes);
        small_reads_ = 0;
    } else if (count < read_size_ / sparse_part) {
        if (++small_reads_ >= small_reads_before_shrinking) {
            read_size_ = std::max(read_size_ / growth, read_buffer_min_bytes);
            small_reads_ = 0;
        }
    } else {
        small_reads_ = 0;
    }
}

void incoming_stream::hold(std::size_t bytes) {
    budget_.change(held_, bytes);
    held_ = bytes;
}

} // namespace holdfast::network
