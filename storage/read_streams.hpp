// Which cold readers go through the log in order, and what of it to ask the disk for ahead of them: the
// newest messages are written past the page cache, so a consumer's first pass over a backlog waits for the
// disk unless the disk is at work while the bytes before are being sent.
//
// The kernel's own reading ahead does not do it: it follows one reader of a file, and several threads read a
// segment through one descriptor, each a little out of step with the others.
//
// Plain; no threads, no I/O. The caller has the lock.
#pragma once

#include "base/ids.hpp"

#include <algorithm>
#include <array>

namespace holdfast::storage {

class read_streams {
  public:
    explicit read_streams(std::uint64_t depth_bytes) : depth_(depth_bytes) {}

    struct range {
        log_position first;
        log_position until;
    };

    // [first, until) is read now, of a file that can be read up to `end`. What to ask for behind it: nothing
    // (an empty range) unless an earlier read ended there, and no byte twice.
    range reads(log_position first, log_position until, log_position end) {
        const auto known = std::find_if(streams_.begin(), streams_.end(), [&](const stream& one) {
            return first + depth_ / 2 >= one.first && first <= one.until;
        });
        if (known == streams_.end()) {
            streams_[next_] = {first, until, until};
            next_ = (next_ + 1) % streams_.size();
            return {until, until};
        }
        if (until <= known->until) // a straggler
            return {until, until};
        known->first = std::max(known->first, first);
        known->until = until;
        const auto from = std::max(known->asked, known->until);
        const auto wanted = std::min(known->until + depth_, end);
        if (wanted <= from || (wanted < end && from + depth_ / 2 > wanted)) // in few large pieces
            return {until, until};
        known->asked = wanted;
        return {from, wanted};
    }

  private:
    struct stream {
        log_position first; // of the furthest read
        log_position until; // where that ended
        log_position asked; // what lies before was read or asked for
    };

    std::uint64_t depth_;
    std::array<stream, 8> streams_{};
    std::size_t next_ = 0;
};

} // namespace holdfast::storage
