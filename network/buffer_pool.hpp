// Read buffers, used again when the last frame read into them is forgotten, wherever and on whatever thread
// that happens; even after the io threads have ended.
//
// Sizes are powers of two from 64 KiB to 1 MiB; larger ones are made to measure and not kept. What
// lies unused is bounded. Buffers are never cleared: they hold what was read, and only that is looked at.
#pragma once

#include "base/bytes.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace holdfast::network {

// Memory to read into; alone as long as nobody else holds the pointer.
class read_buffer {
  public:
    read_buffer(std::unique_ptr<std::byte[]> bytes, std::size_t capacity)
        : bytes_(std::move(bytes)), capacity_(capacity) {}

    [[nodiscard]] std::byte* data() { return bytes_.get(); }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

  private:
    friend class buffer_pool;
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t capacity_;
};

class buffer_pool : public std::enable_shared_from_this<buffer_pool> {
  public:
    // Keeps at most `keep_bytes` of unused buffers. Lives in a shared_ptr: buffers out there hold on to it.
    explicit buffer_pool(std::size_t keep_bytes = 8U << 20U) : keep_bytes_(keep_bytes) {}

    // At least `capacity` bytes; rounded up to a class when there is one.
    [[nodiscard]] std::shared_ptr<read_buffer> take(std::size_t capacity);

    [[nodiscard]] std::size_t unused_bytes() const;

  private:
    static constexpr std::array<std::size_t, 5> classes{64U << 10U, 128U << 10U, 256U << 10U, 512U << 10U,
                                                        1U << 20U};

    void put_back(std::unique_ptr<read_buffer> buffer);

    const std::size_t keep_bytes_;
    mutable std::mutex mutex_;
    std::size_t unused_bytes_ = 0;
    std::array<std::vector<std::unique_ptr<read_buffer>>, classes.size()> unused_;
};

} // namespace holdfast::network
