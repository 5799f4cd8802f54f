// Back-pressure: how many messages and bytes may be on their way at once.
//
// Taking and giving back are one atomic addition each as long as there is room; only a sender that must wait
// takes the lock. Waiters are woken when a quarter of the room is free again: waking them for every single
// answer would cost more than the sends.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace holdfast::client {

class in_flight_limit {
  public:
    // At most 2^24 messages and 2^40 bytes.
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

    [[nodiscard]] std::size_t messages() const { return messages_in(taken_.load()); }

  private:
    // Messages in the upper 24 bits, bytes in the lower 40, so that one operation changes both.
    static constexpr unsigned byte_bits = 40;
    static constexpr std::uint64_t one_message = std::uint64_t{1} << byte_bits;
    static constexpr std::size_t messages_in(std::uint64_t taken) { return taken >> byte_bits; }
    static constexpr std::size_t bytes_in(std::uint64_t taken) { return taken & (one_message - 1); }

    [[nodiscard]] bool fits(std::uint64_t taken, std::size_t bytes) const;
    // Whether waking the waiters is worth it.
    [[nodiscard]] bool roomy(std::uint64_t taken) const;

    const std::size_t most_messages_;
    const std::size_t most_bytes_;
    std::atomic<std::uint64_t> taken_{0};
    std::atomic<std::size_t> waiters_{0};
    std::atomic<bool> closed_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
};

} // namespace holdfast::client
