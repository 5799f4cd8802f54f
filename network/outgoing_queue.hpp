// What is to be written to one connection, in order, without a socket: takes pieces, offers as few and as
// large views as possible, is told how much was written.
//
// Neighbouring small pieces are copied together, because a writev of many small ones costs more than the
// copy; large ones go out from where they are. Not thread-safe.
#pragma once

#include "base/byte_buffer.hpp"
#include "base/bytes.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace holdfast::network {

class outgoing_queue {
  public:
    // A piece up to this size is worth copying.
    static constexpr std::size_t joined_max_bytes = 8U << 10U;
    // Views offered at a time at most.
    static constexpr std::size_t views_max = 32;

    // Appends all pieces.
    void add(std::vector<shared_bytes>&& pieces);

    [[nodiscard]] bool empty() const { return next_view_ == views_.size() && waiting_.empty(); }

    // The next bytes to write, in this order; empty when there are none. Good until the next call of any
    // other function.
    [[nodiscard]] std::span<const byte_view> next();

    // That many bytes from the beginning of next() are written; what they occupied is free when all of a
    // round is.
    void written(std::size_t bytes);

  private:
    void begin_round();

    std::vector<shared_bytes> waiting_;
    // The round that is being written: views into round_ and joined_.
    std::vector<shared_bytes> round_;
    byte_buffer joined_;
    std::vector<byte_view> views_;
    std::size_t next_view_ = 0;
};

} // namespace holdfast::network
