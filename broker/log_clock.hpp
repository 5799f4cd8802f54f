// The time that the log is written with: the wall clock's, but it never goes back and never stands still.
//
// Delays, checks of transactions and retention count on it. When the wall clock jumps forward (a first
// synchronisation, a machine that slept) it follows at once. When the wall clock jumps back, time goes on
// here, at 7/8 of its speed, until the wall clock has caught up: what is due in a second is not due an hour
// late.
//
// Plain: both clocks are read by the caller.
#pragma once

#include "base/ids.hpp"

#include <algorithm>
#include <chrono>

namespace holdfast::broker {

class log_clock {
  public:
    using microseconds = std::chrono::microseconds;

    // `not_before`: the time of the log's last entry. `steady` counts from anywhere and never jumps.
    log_clock(microseconds wall, microseconds steady, timestamp_ms not_before)
        : now_(std::max(wall, microseconds{std::chrono::milliseconds{not_before.value()}})),
          last_steady_(steady) {}

    timestamp_ms now(microseconds wall, microseconds steady) {
        const auto passed = std::max(steady - last_steady_, microseconds{0});
        last_steady_ = std::max(last_steady_, steady);
        const auto ahead = now_ + passed - wall;
        now_ += passed - std::clamp(ahead, microseconds{0}, passed / 8);
        now_ = std::max(now_, wall);
        return timestamp_ms{std::chrono::duration_cast<std::chrono::milliseconds>(now_).count()};
    }

    // Another node, whose clock may be ahead of this one's, wrote the log up to this time by now.
    void not_before(timestamp_ms written, microseconds wall, microseconds steady) {
        now(wall, steady); // what passed until now did not pass after `written`
        now_ = std::max(now_, microseconds{std::chrono::milliseconds{written.value()}});
    }

  private:
    microseconds now_;
    microseconds last_steady_;
};

} // namespace holdfast::broker
