// Commands: what an entry of the log says.
//
// An entry's body is a run of commands. Each is a 24-byte header and a payload, padded with zeros to 8 bytes:
//
//     offset  width  field    (little-endian)
//          0      4  size     payload bytes, without the padding
//          4      4  back     distance from the payload's first byte back to the entry's first byte
//          8      4  topic    record: the topic's id; otherwise 0
//         12      4  queue    record: the queue's number; otherwise 0
//         16      4  tags     record: Java hash of the tag, 0 when there is none; otherwise 0
//         20      1  kind     command_kind
//         21      3  zero
//
// "record" are the kinds message, half, delayed and their lean forms: their payload begins with RocketMQ's
// stored record (protocol reference 5.1) with queueOffset 0: queue offsets are given out by apply and patched
// in when the record is read (served_record.hpp). `back` lets a reader who holds only a message's position
// (clients do) find and verify the entry around it.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/log_reader.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::broker {

enum class command_kind : std::uint8_t {
    message = 1,        // payload: a stored record
    topic_put = 2,      // payload: topic_config
    topic_delete = 3,   // payload: the topic's name
    group_put = 4,      // payload: group_config
    group_delete = 5,   // payload: the group's name
    offsets_commit = 6, // payload: offset_commits
    leadership = 7,     // a leader's first entry in its term (thesis 3.6.2); payload: the node's name
    trim = 8,           // payload: log_snapshot; what lies below its `first` may be deleted
    idle_mark = 9,      // says only, by its header, how far the log was flushed; a payload is zeros
    // For what is made in passing (a first send, a first heartbeat), by clients that know nothing of each
    // other or of an operator: one that is there already stays as it is.
    topic_create = 10, // payload: topic_config
    group_create = 11, // payload: group_config
    // Messages that are in no queue yet: a stored record and a trailer (delivery_records.hpp).
    half = 12,      // waits for its transaction's decision; written by older builds
    delayed = 15,   // waits for its time
    decisions = 13, // written by older builds
    half_checks = 14,
    deliveries = 16,
    delayed_cancel = 17,
    queue_locks = 18, // payload: lock_changes
    members = 19,     // payload: members.hpp; its entry has storage::members_flag
    // The same as half and delayed, but without REAL_TOPIC and REAL_QID in the record: its topic and queue
    // say it already, and whoever serves the record adds them.
    lean_half = 20,
    lean_delayed = 21,
    packed_decisions = 22, // the same as decisions, in few bytes
};

using storage::command_header_size; // the log finds an entry by a command's `back`, so it knows the header
                                    // too
inline constexpr std::size_t command_alignment = 8;

[[nodiscard]] constexpr bool is_half(command_kind kind) {
    return kind == command_kind::half || kind == command_kind::lean_half;
}
[[nodiscard]] constexpr bool is_delayed(command_kind kind) {
    return kind == command_kind::delayed || kind == command_kind::lean_delayed;
}
[[nodiscard]] constexpr bool is_lean(command_kind kind) {
    return kind == command_kind::lean_half || kind == command_kind::lean_delayed;
}
[[nodiscard]] constexpr bool has_record(command_kind kind) {
    return kind == command_kind::message || is_half(kind) || is_delayed(kind);
}

struct command_header {
    std::uint32_t size = 0;
    std::uint32_t back = 0;
    topic_id topic;
    queue_number queue;
    std::int32_t tags = 0;
    command_kind kind{};
};

struct command_view {
    command_header header;
    std::size_t payload_offset = 0; // from the entry's first byte
    byte_view payload;
};

// Bytes one command takes in a body.
[[nodiscard]] constexpr std::size_t command_footprint(std::size_t payload_size) {
    return command_header_size + align_up(payload_size, command_alignment);
}

void encode_command_header(const command_header& header, std::byte* to);

// The kind of the command whose payload begins at `payload_offset` of a verified entry.
[[nodiscard]] inline command_kind kind_at(byte_view entry, std::size_t payload_offset) {
    return static_cast<command_kind>(entry[payload_offset - command_header_size + 20]);
}

// Walks the commands of one entry. `entry` is the whole entry, header included; `body_offset` is where the
// first command begins. The entry's checksum has been verified, so a command that does not fit means a
// writer's bug or a newer format: an error, never a crash.
class command_cursor {
  public:
    command_cursor(byte_view entry, std::size_t body_offset) : entry_(entry), next_(body_offset) {}

    [[nodiscard]] bool done() const { return next_ >= entry_.size(); }
    result<command_view> next();

  private:
    byte_view entry_;
    std::size_t next_;
};

} // namespace holdfast::broker
