// The state in the log itself, so that the log can lose its beginning.
//
// Retention deletes whole segments, and with them the entries that made topics and groups and moved offsets.
// So before that the leader appends a trim command: everything the state holds besides messages, as of a
// position, and where each queue begins once the segments are gone. A derived store that was lost is then
// rebuilt from what is left:
//
//     restore the last snapshot                  topics, groups, offsets; queues at their `firsts`
//     [first, as_of)      apply_messages         facts in there are in the snapshot already
//     [as_of, end)        apply
//
// Layout, little-endian: u8 version, u64 first, u64 as_of, u32 next topic id, then four lists, each with a
// u32 count: topics and groups (as records.hpp encodes them, with a u16 length), offsets (as records.hpp, one
// text), queues (u32 topic, u32 queue, i64 first, i64 next).
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/records.hpp"

#include <string>
#include <utility>
#include <vector>

namespace holdfast::broker {

class state;

struct log_snapshot {
    log_position first; // the log may begin here
    log_position as_of; // the state is that of everything below
    topic_id next_topic;
    std::vector<topic_config> topics;
    std::vector<group_config> groups;
    std::vector<offset_commit> offsets;
    std::vector<std::pair<queue_key, queue_offset>> firsts; // queues that begin above 0
    std::vector<std::pair<queue_key, queue_offset>> nexts;  // of every queue with a message, as of `as_of`
};

[[nodiscard]] std::string encode_snapshot(const state& current, log_position first, log_position as_of,
                                          const std::vector<std::pair<queue_key, queue_offset>>& firsts);
result<log_snapshot> decode_snapshot(byte_view bytes);

// The state with which apply_messages begins at `snapshot.first`.
[[nodiscard]] state restore_snapshot(const log_snapshot& snapshot);
// After apply_messages reached `snapshot.as_of`: whether every queue is as long as it was.
result<void> check_against(const log_snapshot& snapshot, const state& rebuilt);

} // namespace holdfast::broker
