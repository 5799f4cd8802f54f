// Zeroes the log's files ahead of the writer, in the background, because a flush into blocks that were really
// written before costs about half of one into reserved blocks (docs/files.md has the figures). Also creates
// the next segment before the writer needs it.
//
// Never in the way: a start does not wait for it, the writer may overtake it at any time (segment::write),
// and when it fails, say for a full disk, the log goes on without; the writer meets the disk's own error
// where it can't.
#pragma once

#include "storage/segment_set.hpp"

#include <thread>

namespace holdfast::storage {

struct prewriter_options {
    std::uint64_t chunk_bytes = 1U << 20U; // zeroed and synced at a time; the writer may wait for one of them
    std::uint64_t ahead_bytes = 64U << 20U; // how far ahead of the writer; also bounds what recovery searches
};

// Owns one thread from construction to destruction.
class prewriter {
  public:
    prewriter(segment_set& segments, prewriter_options options);
    prewriter(const prewriter&) = delete;
    prewriter& operator=(const prewriter&) = delete;
    ~prewriter();

    // What stopped it last, if anything did; it tries again when the writer has moved on.
    [[nodiscard]] std::optional<error> failure() const;

  private:
    void run();
    result<bool> advance();

    segment_set& segments_;
    const prewriter_options options_;
    mutable std::mutex mutex_;
    std::optional<error> failure_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

} // namespace holdfast::storage
