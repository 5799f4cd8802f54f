// Appends sealed entries to the segments: the flushers' tool.
//
// write() followed by flush() is one group commit. Only flush() promises that it is on the disk. Whole blocks
// are written, the last, partial one padded with zeros and kept in memory, so nothing is ever read back.
//
// Two lanes, each used by one thread at a time, may be at work at once, and end in any order. A write may
// overtake the one before it when it begins at a block's start, so that no two writes under way touch the
// same block; written_until() and flushed_until() count only what has no hole before it. Whoever lets one
// overtake keeps it within the segment of those that are under way.
//
// Errors are for ever: after the first failed write or flush of any lane nobody knows what the disk holds, so
// every later end of a call, in every lane, returns that first error. The replica must stop answering (fence)
// and say why.
#pragma once

#include "storage/segment_set.hpp"

#include <array>
#include <map>
#include <mutex>

namespace holdfast::storage {

class log_writer {
  public:
    static constexpr unsigned lanes = segment::lanes;

    // `end`: where the log ends (recovered_log::end). Reads the block it lies in.
    static result<std::unique_ptr<log_writer>> open(segment_set& segments, log_position end);
    ~log_writer();

    // `entries` in log order, each whole (header and body, no padding), the first at `first`:
    // written_until(), or a block's start behind it when what lies between is written by another lane. Each
    // one follows the one before as segment_geometry.hpp says: at its next(), after a filler and after a full
    // segment at the next segment's start. errc::invalid_argument (nothing written, not fenced) when they do
    // not: a bug of the caller, told in words.
    result<void> write(std::span<const shared_bytes> entries, log_position first, unsigned lane = 0);

    // All that this lane has written is on the disk, with the files' names, when this returns without error.
    result<void> flush(unsigned lane = 0);

    // Cuts the log's tail (Raft thesis 3.5: entries that conflict with the leader's): at `at`, an entry's
    // start or the log's end, and above nothing is left, and everything below is on the disk, when this
    // returns without error. Both marks are `at` then, and the next write begins there. A power cut meanwhile
    // leaves the tail whole or gone (truncation.hpp). No write or flush is under way or begins until it
    // returns. log_store::truncate also empties the cache.
    result<void> truncate(log_position at);

    // The end of the log as written and as flushed, and so where the next entry begins. Any thread may ask.
    [[nodiscard]] log_position written_until() const { return segments_.written(); }
    [[nodiscard]] log_position flushed_until() const { return segments_.flushed(); }

    // The first error of write or flush, when there was one.
    [[nodiscard]] std::optional<error> failure() const;

  private:
    class block_buffer;
    struct range {
        log_position first;
        log_position last;
    };
    // Below `end` everything is done; `ahead` is what is done behind a hole.
    struct progress {
        log_position end;
        std::vector<range> ahead;
        void add(range done);
    };
    struct lane_state {
        std::unique_ptr<block_buffer> buffer;
        range under_way;                                // empty: not writing
        std::vector<range> unflushed;                   // written since the last flush
        std::vector<std::shared_ptr<segment>> unsynced; // their segments
    };
    explicit log_writer(segment_set& segments);

    result<log_position> check_order(std::span<const shared_bytes> entries, log_position first) const;
    [[nodiscard]] bool is_free(range wanted) const;
    result<void> carry_out(std::span<const shared_bytes> entries, log_position first, lane_state& lane);
    result<void> enter_segment(log_position position, lane_state& lane);
    result<void> carry_out_cut(log_position at, log_position end);
    result<void> fence(const error& reason);

    segment_set& segments_;
    mutable std::mutex mutex_; // not held while writing or flushing
    std::array<lane_state, lanes> lanes_;
    progress written_;
    progress flushed_;
    // What was written into the last, partial block of a write that ended within one, by that end: the next
    // write begins there and writes the block again. More than one when a write has overtaken.
    std::map<log_position, std::vector<std::byte>> tails_;
    std::optional<error> failure_;
};

} // namespace holdfast::storage
