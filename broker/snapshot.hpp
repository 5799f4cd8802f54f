// The state in the log itself, so that the log can lose its beginning.
//
// Retention deletes whole segments, and with them the entries that made topics and groups and moved offsets.
// So before that the leader appends a trim command: everything the state holds besides messages, as of a
// position, and where each queue begins once the segments are gone. A derived store that was lost is then
// rebuilt from what is left:
//
//     [first, as_of)      apply_messages, to count: how many messages did each queue get in here?
//     restore the last snapshot: topics, groups, offsets; each queue at its end less that number
//     [first, as_of)      apply_messages         facts in there are in the snapshot already
//     [as_of, end)        apply
//
// The offsets are counted from the end because the beginning of the stretch can't be followed: a transaction
// may be committed here whose half lay below `first`. Such messages are all below the queue's own beginning.
//
// Layout, little-endian: u8 version, u64 first, u64 as_of, u32 next topic id, then lists, each with a u32
// count: topics and groups (as records.hpp encodes them, with a u16 length), offsets (as records.hpp, one
// text), queues that begin above 0 and the lengths of queues (u32 topic, u32 queue, i64 offset), since
// version 2 the delay_progress (u64 version, i64 due, u64 position) and locks (by group: text, u32 count, of
// each u32 topic, u32 queue, u64 epoch, owner), since version 3 the group's members (members.hpp, as one
// text).
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/queue_locks.hpp"
#include "broker/records.hpp"
#include "broker/state.hpp"

#include <string>
#include <utility>
#include <vector>

namespace holdfast::broker {

struct log_snapshot {
    log_position first; // the log may begin here
    log_position as_of; // the state is that of everything below
    topic_id next_topic;
    std::vector<topic_config> topics;
    std::vector<group_config> groups;
    std::vector<offset_commit> offsets;
    queue_locks locks;
    std::vector<std::pair<queue_key, queue_offset>> firsts; // queues that begin above 0
    std::vector<std::pair<queue_key, queue_offset>> nexts;  // of every queue with a message, as of `as_of`
    delay_progress delay;
    std::vector<consensus::member> members;
};

[[nodiscard]] std::string encode_snapshot(const state& current, log_position first, log_position as_of,
                                          const std::vector<std::pair<queue_key, queue_offset>>& firsts);
result<log_snapshot> decode_snapshot(byte_view bytes);

// The state with which to count.
[[nodiscard]] state restore_snapshot(const log_snapshot& snapshot);
// The state with which to apply then; an error when the log does not hold what the snapshot says.
result<state> restore_snapshot(const log_snapshot& snapshot, const state& counted);
// After apply_messages reached `snapshot.as_of`: whether every queue is as long as it was.
result<void> check_against(const log_snapshot& snapshot, const state& rebuilt);

} // namespace holdfast::broker
