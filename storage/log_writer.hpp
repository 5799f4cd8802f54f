// Appends sealed entries to the segments: the flusher's tool, used by one thread at a time.
//
// write() followed by flush() is one group commit. Only flush() promises that it is on the disk. Whole blocks
// are written, the last, partial one padded with zeros and kept in memory, so nothing is ever read back.
//
// Errors are for ever: after the first failed write or flush nobody knows what the disk holds, so every later
// call returns that first error. The replica must stop answering (fence) and say why.
#pragma once

#include "storage/segment_set.hpp"

namespace holdfast::storage {

class log_writer {
  public:
    // `end`: where the log ends (recovered_log::end). Reads the block it lies in.
    static result<std::unique_ptr<log_writer>> open(segment_set& segments, log_position end);
    ~log_writer();

    // `entries` in log order, each whole (header and body, no padding), the first at `first` ==
    // written_until(). Each one follows the one before as segment_geometry.hpp says: at its next(), after a
    // filler and after a full segment at the next segment's start. errc::invalid_argument (nothing written,
    // not fenced) when they do not: a bug of the caller, told in words.
    result<void> write(std::span<const shared_bytes> entries, log_position first);

    // All that was written is on the disk, with the files' names, when this returns without error.
    result<void> flush();

    // The end of the log as written and as flushed, and so where the next entry begins. Any thread may ask.
    [[nodiscard]] log_position written_until() const { return segments_.written(); }
    [[nodiscard]] log_position flushed_until() const { return segments_.flushed(); }

    // The first error of write or flush, when there was one.
    [[nodiscard]] const std::optional<error>& failure() const { return failure_; }

  private:
    class block_buffer;
    explicit log_writer(segment_set& segments);

    result<void> check_order(std::span<const shared_bytes> entries, log_position first) const;
    result<void> enter_segment(log_position first);
    result<void> fence(error reason);

    segment_set& segments_;
    std::vector<std::shared_ptr<segment>> unsynced_; // left behind since the last flush
    const std::unique_ptr<block_buffer> buffer_;
    std::optional<error> failure_;
};

} // namespace holdfast::storage
