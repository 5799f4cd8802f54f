#include "protocol/frame.hpp"

namespace holdfast::protocol {

namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::uint32_t header_length_mask = 0xFFFFFF;

error bad(errc code, std::string message) {
    return {code, std::move(message)};
}

// The frame's whole size from its first 4 bytes.
result<std::size_t> whole_size(byte_view buffer, std::size_t max_frame_bytes) {
    const std::size_t size = std::size_t{load_big<std::uint32_t>(buffer.data())} + length_bytes;
    if (size < limits::frame_prefix_bytes)
        return bad(errc::malformed,
                   "frame length " + std::to_string(size - length_bytes) +
                       " leaves no room for the header length; is this RocketMQ's protocol?");
    if (size > max_frame_bytes)
        return bad(errc::too_large, "frame of " + std::to_string(size) + " bytes is over the limit of " +
                                        std::to_string(max_frame_bytes));
    return size;
}

} // namespace

result<std::optional<std::size_t>> peek_frame_size(byte_view buffer, std::size_t max_frame_bytes) {
    if (buffer.size() < length_bytes)
        return std::optional<std::size_t>{};
    const auto size = whole_size(buffer, max_frame_bytes);
    if (!size)
        return size.failure();
    if (buffer.size() < limits::frame_prefix_bytes)
        return std::optional<std::size_t>{};
    const auto word = load_big<std::uint32_t>(buffer.data() + length_bytes);
    const std::uint32_t type = word >> 24U;
    const std::size_t header_bytes = word & header_length_mask;
    if (type > static_cast<std::uint32_t>(serialize_type::binary))
        return bad(errc::malformed,
                   "serialize type " + std::to_string(type) + " is neither 0 (JSON) nor 1 (ROCKETMQ)");
    if (header_bytes > *size - limits::frame_prefix_bytes)
        return bad(errc::malformed, "header of " + std::to_string(header_bytes) +
                                        " bytes does not fit a frame of " + std::to_string(*size));
    if (header_bytes > limits::max_header_bytes)
        return bad(errc::too_large, "header of " + std::to_string(header_bytes) +
                                        " bytes is over the limit of " +
                                        std::to_string(limits::max_header_bytes));
    return std::optional{*size};
}

result<std::optional<frame_view>> next_frame(byte_view buffer, std::size_t max_frame_bytes) {
    const auto size = peek_frame_size(buffer, max_frame_bytes);
    if (!size)
        return size.failure();
    if (!*size || buffer.size() < **size)
        return std::optional<frame_view>{};
    const auto word = load_big<std::uint32_t>(buffer.data() + length_bytes);
    const std::size_t header_bytes = word & header_length_mask;
    const std::size_t body_first = limits::frame_prefix_bytes + header_bytes;
    return std::optional{frame_view{.serialize = static_cast<serialize_type>(word >> 24U),
                                    .header = buffer.subspan(limits::frame_prefix_bytes, header_bytes),
                                    .body = buffer.subspan(body_first, **size - body_first),
                                    .size = **size}};
}

} // namespace holdfast::protocol
