// One connection's way from bytes to frames, without a socket: gives room to read into, is told how much was
// read, gives back the frames that are complete.
//
// Memory is taken for bytes that arrived, not for what a frame's length promises: a frame longer than its
// buffer gets at most double the room each time it has filled it. What an unfinished frame holds is counted
// in a total over all connections, and when that is used up, a connection with more than its share gets an
// error. A connection between frames holds nothing.
#pragma once

#include "base/byte_buffer.hpp"
#include "base/result.hpp"
#include "network/buffer_pool.hpp"
#include "network/frame_batch.hpp"
#include "network/limits.hpp"
#include "network/shared_budget.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace holdfast::network {

class incoming_stream {
  public:
    // `budget` counts what unfinished frames hold over all connections, and must outlive this.
    incoming_stream(std::shared_ptr<buffer_pool> pool, shared_budget& budget)
        : pool_(std::move(pool)), budget_(budget) {
        budget_.join();
    }
    ~incoming_stream() {
        hold(0);
        budget_.leave();
    }
    incoming_stream(const incoming_stream&) = delete;
    incoming_stream& operator=(const incoming_stream&) = delete;

    // Where to read the next bytes to; never empty. Good until the next call. Error: too_large
    // (must_yield; close the connection).
    result<std::span<std::byte>> room();

    struct outcome {
        frame_batch frames;           // to be handled, also when there is a failure behind them
        std::optional<error> failure; // the stream can't be followed any further
    };
    // `count` bytes were read into the beginning of room(); 0 when there was nothing to read.
    outcome received(std::size_t count);

    [[nodiscard]] bool is_inside_a_frame() const { return filled_ + carried_.size() != 0; }
    // Memory is used up, and this connection holds more than its share: close it.
    [[nodiscard]] bool must_yield() const { return budget_.must_yield(held_); }
    [[nodiscard]] std::size_t held_bytes() const { return held_; }

  private:
    void grow();
    void adapt_read_size(std::size_t count, std::size_t offered);
    frame_batch hand_over(std::vector<frame_range> ranges, std::size_t complete);
    void keep_remainder(std::size_t first, bool is_shared);
    void hold(std::size_t bytes);

    std::shared_ptr<buffer_pool> pool_;
    shared_budget& budget_;
    // Either a buffer whose first filled_ bytes are the frame under way, or a small copy of its beginning.
    std::shared_ptr<read_buffer> buffer_;
    std::size_t filled_ = 0;
    byte_buffer carried_;
    std::size_t frame_size_ = 0;                    // of the frame under way; 0 = not known yet
    std::size_t held_ = 0;                          // this connection's part of the total
    std::size_t read_size_ = read_buffer_min_bytes; // what the next fresh buffer should have
    int small_reads_ = 0;                           // in a row
};

} // namespace holdfast::network
