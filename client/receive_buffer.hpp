// Where a connection reads to: blocks that are handed on by sharing, not by copying.
//
// A large body (a pull answer) stays where the kernel wrote it: its reader takes part in the block, and the
// block goes back to the pool with the last share. Small bodies are copied out, so that one of them never
// pins a large block. Frames are found by protocol::next_frame in `unread()`.
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace holdfast::client {

class receive_buffer {
  public:
    receive_buffer();

    // Room to read into, at the end of what is unread. `frame_bytes`: the size of the unfinished frame at the
    // front of unread(), 0 when not known yet; a large one gets room to its end and no more, so that the next
    // frame begins in a block of its own.
    [[nodiscard]] std::span<std::byte> prepare(std::size_t frame_bytes);
    // `count` bytes of it were filled.
    void filled(std::size_t count) { last_ += count; }

    [[nodiscard]] byte_view unread() const { return {block_.get() + first_, last_ - first_}; }
    void consume(std::size_t count);
    // Forgets everything unread.
    void reset();

    // Keeps `part`, which lies in unread(), beyond the next prepare().
    [[nodiscard]] shared_bytes share(byte_view part);

    static constexpr std::size_t block_bytes = std::size_t{256} << 10U;
    static constexpr std::size_t large_frame_bytes = std::size_t{64} << 10U;

  private:
    class block_pool;
    void take_block(std::size_t at_least);

    std::shared_ptr<block_pool> pool_;
    std::shared_ptr<std::byte[]> block_;
    std::size_t capacity_ = 0;
    std::size_t first_ = 0;
    std::size_t last_ = 0;
    std::size_t recent_frame_bytes_ = 0; // the next one is likely as large
    // Somebody took part in the block: it is not written again where it was, not even when they are done (a
    // new one from the pool costs less than finding that out safely).
    bool shared_ = false;
};

} // namespace holdfast::client
