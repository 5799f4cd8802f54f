// The outer frame (protocol reference 1): u32 length, u32 (type << 24 | header length), header, body;
// big-endian.
//
// `next_frame` finds frames in what a connection has read and looks at nothing but these 8 bytes. Writing is
// command_writer's (command_writer.hpp).
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/limits.hpp"

#include <optional>

namespace holdfast::protocol {

// How a header is written. Answers use the type of their request.
enum class serialize_type : std::uint8_t { json = 0, binary = 1 };

// One frame; the views point into the buffer it was found in.
struct frame_view {
    serialize_type serialize = serialize_type::json;
    byte_view header{};
    byte_view body{};
    std::size_t size = 0; // bytes of the whole frame, the length prefix included: where the next one begins
};

// The size in bytes of the frame at the beginning of `buffer`, the prefix included, as soon as 8 bytes are
// there (or 4, when the length alone is wrong); nothing when more must be read first. The errors are
// next_frame's.
[[nodiscard]] result<std::optional<std::size_t>>
peek_frame_size(byte_view buffer, std::size_t max_frame_bytes = limits::max_frame_bytes);

// The frame at the beginning of `buffer`, or nothing when it is incomplete. An error means that the byte
// stream can't be followed any further, so the connection must be closed:
//   too_large  the frame is over `max_frame_bytes` or its header over limits::max_header_bytes
//   malformed  a length that contradicts itself, or an unknown serialize type
[[nodiscard]] result<std::optional<frame_view>>
next_frame(byte_view buffer, std::size_t max_frame_bytes = limits::max_frame_bytes);

} // namespace holdfast::protocol
