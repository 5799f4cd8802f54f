// What all io threads, listeners and connections of one io_runner share. Thread-safe. Connections hold on to
// it, so it outlives the runner when somebody above still holds a connection.
#pragma once

#include "base/ids.hpp"
#include "network/buffer_pool.hpp"
#include "network/limits.hpp"
#include "network/log_throttle.hpp"
#include "network/shared_budget.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace holdfast::network {

// Who may come in: counts connections in total and by address.
class admission {
  public:
    explicit admission(const limits& bounds)
        : most_(bounds.connections), most_per_address_(bounds.connections_per_address) {}

    // Counts one connection from `address`; or the reason why it is refused, and it is not counted.
    [[nodiscard]] std::optional<std::string> admit(const std::string& address);
    // A counted connection is closed and its handler has been told.
    void leave(const std::string& address);

    [[nodiscard]] std::size_t count() const;
    // Whether there are none, at the latest at `deadline`.
    bool wait_until_none(std::chrono::steady_clock::time_point deadline);

  private:
    const std::size_t most_;
    const std::size_t most_per_address_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
    std::unordered_map<std::string, std::size_t> by_address_;
};

struct runner_state {
    explicit runner_state(const limits& all_bounds)
        : bounds(all_bounds),
          admitted(all_bounds),
          incoming(all_bounds.incoming_bytes_total),
          outgoing(all_bounds.outgoing_bytes_total) {}

    const limits bounds;
    admission admitted;
    shared_budget incoming;
    shared_budget outgoing;
    std::shared_ptr<buffer_pool> buffers = std::make_shared<buffer_pool>();

    std::atomic<bool> is_closing{false}; // a connection that opens now is closed at once
    std::atomic<std::uint64_t> last_connection_id{0};
    std::atomic<std::uint64_t> connections_accepted{0};
    std::atomic<std::uint64_t> connections_refused{0};
    std::atomic<std::uint64_t> connections_expelled{0};
    std::atomic<std::uint64_t> frames_received{0};
    std::atomic<std::uint64_t> bytes_received{0};
    std::atomic<std::uint64_t> bytes_sent{0};

    log_throttle refusals;
    log_throttle expulsions;
    log_throttle accept_failures;
};

} // namespace holdfast::network
