// All complete frames of one read, in the order they arrived, without a copy.
//
// Owns (by reference count) the buffer they were read into; the buffer goes back to its pool when the last
// batch and slice of it is gone. A frame is given whole: 4 length bytes, header word, header, body (protocol
// reference 1).
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace holdfast::network {

// Where one frame lies within the bytes it was read with.
struct frame_range {
    std::uint32_t first = 0;
    std::uint32_t size = 0; // with the length bytes
};

class frame_batch {
  public:
    frame_batch() = default;
    // `ranges` must lie within `bytes`.
    frame_batch(shared_bytes bytes, std::vector<frame_range> ranges)
        : bytes_(std::move(bytes)), ranges_(std::move(ranges)) {}

    // Frames.
    [[nodiscard]] std::size_t size() const { return ranges_.size(); }
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    // Bytes of all frames together.
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

    // Valid while the batch, or any slice of it, lives.
    [[nodiscard]] byte_view view(std::size_t index) const {
        HOLDFAST_CHECK(index < ranges_.size());
        return bytes_.view().subspan(ranges_[index].first, ranges_[index].size);
    }
    // Keeps the whole read buffer alive (up to read_buffer_max_bytes): copy small things that are kept for
    // long.
    [[nodiscard]] shared_bytes slice(std::size_t index) const {
        HOLDFAST_CHECK(index < ranges_.size());
        return bytes_.slice(ranges_[index].first, ranges_[index].size);
    }

  private:
    shared_bytes bytes_;
    std::vector<frame_range> ranges_;
};

} // namespace holdfast::network
