// Lets a line into the log at most once a second and counts the rest, so that a client that provokes it can't
// fill the disk.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <mutex>
#include <string_view>

namespace holdfast::network {

class log_throttle {
  public:
    void warn(std::string_view text) {
        const auto now = std::chrono::steady_clock::now();
        const std::lock_guard guard{mutex_};
        if (has_said_ && now - said_at_ < std::chrono::seconds{1}) {
            ++withheld_;
            return;
        }
        if (withheld_ == 0)
            spdlog::warn("{}", text);
        else
            spdlog::warn("{} ({} more like it since)", text, withheld_);
        withheld_ = 0;
        said_at_ = now;
        has_said_ = true;
    }

  private:
    std::mutex mutex_;
    std::chrono::steady_clock::time_point said_at_;
    std::uint64_t withheld_ = 0;
    bool has_said_ = false;
};

} // namespace holdfast::network
