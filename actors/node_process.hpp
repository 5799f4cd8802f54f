// What a node needs of its process: one clock, signals, its ready line, the allocator and CAF's scheduler set
// up.
#pragma once

#include "base/ids.hpp"
#include "config/node_config.hpp"

#include <caf/actor_system_config.hpp>

#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>

namespace holdfast::actors {

// This process to itself: its node ends, and another one takes its place.
inline constexpr int start_over_signal = SIGUSR1;

// SIGTERM, SIGINT and start_over_signal are waited for; they must be blocked before the first thread is made.
sigset_t block_signals();

// Batches are buffers of up to a few MiB that come and go: kept by the allocator instead of being mapped and
// zeroed anew each time.
void tune_allocator();

// One time for all actors (broker/log_clock.hpp); copies are the same clock. Any thread.
class node_clock {
  public:
    explicit node_clock(timestamp_ms not_before);
    [[nodiscard]] timestamp_ms operator()() const;
    void not_before(timestamp_ms written) const;

  private:
    struct shared_clock;
    std::shared_ptr<shared_clock> shared_;
};

// The ready line, on standard output.
void announce(const config::node_config& config, std::uint16_t broker_port, std::uint16_t namesrv_port);

void configure(caf::actor_system_config& settings, const config::node_config& config);

// Set by the commit log's first committed entry, or by its fencing.
class start_signal {
  public:
    void set() {
        const std::lock_guard lock{mutex_};
        done_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return done_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
};

} // namespace holdfast::actors
