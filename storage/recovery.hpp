// Finds the end of the log after a start, however the last run ended, and makes it safe to append there.
//
// The scan stops at the first position P without a valid next entry. Two stories fit, and they are told
// apart:
//  - a torn tail: a batch that was being written and never flushed, so nobody was answered. It is cut: what
//  is
//    left of it is zeroed, later files that hold only such bytes are removed, all synced.
//  - rot: bytes that were once flushed no longer hold. Shown by a valid entry behind P that was sealed when P
//  was
//    already flushed (its `flushed` field), or by P < durable_until. Rot is never cut: errc::corrupted names
//    position and file and what an operator can do.
// Damage in the very last batch, with nothing behind it and nothing applied from it, can't be told from a
// torn tail by any single node.
//
// A truncation that was under way (truncation.hpp) is carried through first.
//
// What was written but perhaps not flushed when the process died (an answer may be on its way because of it
// in the next run) is written again and flushed before this returns: everything below `end` is durable.
#pragma once

#include "storage/entry.hpp"
#include "storage/segment_set.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::storage {

struct recovery_options {
    segment_options segments;
    // The start of the last entry that the derived store applied: the scan begins there instead of at the
    // oldest segment, so a restart over a long log is short. Where no valid entry stands, the scan begins
    // with the segment around it.
    log_position scan_from;
    // Everything below was once known to be flushed, e.g. the derived store's applied position.
    log_position durable_until;
    // The operator's word acceptDataLoss=<position>: when the log is rotten at exactly this position, cut it
    // there like a torn tail. Everything behind is gone for good.
    std::optional<log_position> accept_loss_at;
};

struct log_cut {
    log_position position;
    std::uint64_t bytes = 0;    // from `position` to the last non-zero byte found behind it
    bool loss_accepted = false; // by the operator; derived state at or above `position` must be thrown away
    std::string reason;         // what was found there, in words
};

struct recovered_log {
    std::unique_ptr<segment_set> segments;  // written() and flushed() are `end`
    log_position first;                     // of the oldest entry kept
    log_position end;                       // where the next entry goes, see segment_geometry.hpp
    std::optional<log_position> last_entry; // its position; may be a filler; empty when the log is empty
    term_number last_term;
    std::uint32_t last_checksum = 0;
    timestamp_ms last_timestamp;
    // Of the entries that the scan read, all or those from scan_from on, fillers too: the largest `committed`
    // (0 when there were none), and where the first entry of each term stands.
    log_position committed;
    std::vector<std::pair<log_position, term_number>> terms;
    segment_geometry geometry;
    std::optional<log_cut> cut;
    std::uint64_t scanned_bytes = 0;
};

// `directory`: the log's own, <store>/commitlog; created when missing. The caller holds the store's lock.
// errc::not_supported, and nothing is changed, for a log that an earlier build wrote.
result<recovered_log> recover(file_system& files, const path& directory, const recovery_options& options);

} // namespace holdfast::storage
