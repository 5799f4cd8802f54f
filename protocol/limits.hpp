// The bounds of the wire, by name. Nothing that a peer says is believed beyond these (protocol reference
// 1, 6.13).
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::protocol::limits {

// A whole frame, its 4 length bytes included: Netty's limit on both Java sides. Never build a larger one.
inline constexpr std::size_t max_frame_bytes = 16U * 1024 * 1024;
// Length, type and header length: the smallest frame is this plus an (empty) header.
inline constexpr std::size_t frame_prefix_bytes = 8;
// Room for 32767 property bytes that are all escaped as \u00XX, and everything else.
inline constexpr std::size_t max_header_bytes = 256U * 1024;
// The fixed part of a binary header.
inline constexpr std::size_t min_binary_header_bytes = 21;
inline constexpr std::size_t max_field_count = 128;
inline constexpr std::size_t max_json_depth = 32;
// A remark is shortened to this when written.
inline constexpr std::size_t max_remark_bytes = 4096;
// Bodies that are parsed into a tree. Requests (heartbeats, locks) come from anybody, so they get less: a
// tree takes some 25 times the room of its text at worst. Answers are read by our client only.
inline constexpr std::size_t max_json_request_bytes = 1024U * 1024;
inline constexpr std::size_t max_json_answer_bytes = 8U * 1024 * 1024;

inline constexpr std::size_t max_topic_bytes = 127;
// New groups get names up to 120, so that %RETRY% and %DLQ% topics of theirs fit too; 255 is what may be
// read.
inline constexpr std::size_t max_group_bytes = 120;
inline constexpr std::size_t max_stored_group_bytes = 255;
// The stored record has a signed 16-bit length.
inline constexpr std::size_t max_properties_bytes = 32767;
inline constexpr std::size_t default_max_body_bytes = 4U * 1024 * 1024;
inline constexpr std::size_t max_batch_messages = 32768;
inline constexpr std::int32_t max_queue_count = 65536;
inline constexpr std::size_t max_client_id_bytes = 255;

} // namespace holdfast::protocol::limits
