// How long the consumers of one connection have been reading from this follower, queue by queue. Now and then
// each must ask the leader, which alone knows that a queue was reset, or is somebody else's by now.
//
// Plain; used by one thread at a time. Bounded: queues beyond the limit are sent to the leader at once.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace holdfast::actors {

class follower_stays {
  public:
    follower_stays(std::chrono::milliseconds longest, std::size_t most_queues)
        : longest_(longest), most_queues_(most_queues) {}

    // A pull at `now`, of a monotonic clock: whether the next one may come here too.
    [[nodiscard]] bool may_stay(std::string_view group, std::string_view topic, queue_number queue,
                                std::chrono::milliseconds now) {
        const auto key = std::tuple{std::string{group}, std::string{topic}, queue};
        const auto stay = since_.find(key);
        if (stay == since_.end()) {
            if (since_.size() >= most_queues_)
                std::erase_if(since_, [&](const auto& old) { return now - old.second >= longest_; });
            return since_.size() < most_queues_ && since_.emplace(key, now).second;
        }
        if (now - stay->second < longest_)
            return true;
        since_.erase(stay);
        return false;
    }

  private:
    const std::chrono::milliseconds longest_;
    const std::size_t most_queues_;
    std::map<std::tuple<std::string, std::string, queue_number>, std::chrono::milliseconds> since_;
};

} // namespace holdfast::actors
