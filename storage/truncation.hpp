// Cuts the tail off a log that goes on afterwards: a follower's entries that conflict with the leader's (Raft
// thesis 3.5). They were flushed, so zeros that reach the disk in any order could leave what recovery must
// take for rot: a hole, and a valid entry behind it that says that the hole was once on the disk.
//
// Therefore the intent comes first: <commitlog>/truncation, durable before the first byte is changed, names
// the range; it is removed, durably, before anything is appended. A start that finds it carries the
// truncation through again. So a power cut at any moment leaves the tail whole or gone.
#pragma once

#include "storage/segment_set.hpp"

namespace holdfast::storage {

struct truncation {
    log_position at;
    log_position end; // nothing was ever written at or above it
};

// [at, end) is zeros on the disk, and the intent gone, when this returns without error. After an error nobody
// knows: fence. Nobody else writes there meanwhile.
result<void> truncate_segments(segment_set& segments, truncation range);

// At a start, before the log is scanned: carries through what was under way, if anything. errc::corrupted,
// and nothing is changed, when the file is damaged or the cut would go below `applied`.
result<void> finish_truncation(segment_set& segments, log_position applied);

// The log is dropped as a whole: nothing is left to cut. Durable with the next sync of the directory.
result<void> drop_truncation(segment_set& segments);

} // namespace holdfast::storage
