// Back-pressure: how many messages and bytes may be on their way at once.
//
// Taking and giving back are two atomic additions as long as there is room; only a sender that must wait
// takes the lock. Waiters are woken when a quarter of the room is free again: waking them for every single
// answer would cost more than the sends.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace holdfast::client {

class in_flight_limit {
  public:
    in_flight_limit(std::size_t most_messages, std::size_t most_bytes)
        : most_messages_(most_messages), most_bytes_(most_bytes) {}

    // A message larger than the bound is let through alone.
    bool try_take(std::size_t bytes);
    // False when there was no room until `deadline`, or after close().
    bool take(std::size_t bytes, std::chrono::steady_clock::time_point deadline);
    void give_back(std::size_t bytes);

    // Refuses everything from now on.
    void close();
    // Waits until nothing is taken.
    void wait_until_empty();

    [[nodiscard]] std::size_t messages() const { return messages_.load(std::memory_order_relaxed); }

  private:
    [[nodiscard]] bool fits(std::size_t bytes) const;
    [[nodiscard]] bool roomy() const;

    const std::size_t most_messages_;
    const std::size_t most_bytes_;
    std::atomic<std::size_t> messages_{0};
    std::atomic<std::size_t> bytes_{0};
    std::atomic<std::size_t> waiters_{0};
    std::atomic<bool> closed_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
};

} // namespace holdfast::client
