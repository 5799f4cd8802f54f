// What a follower remembers of the pulls of one connection, queue by queue.
//
// How long a consumer has been reading from here: now and then it must ask the leader, which alone knows that
// a queue was reset, or is somebody else's by now. And with which offset it was last sent to the leader: who
// comes back with the same one has a route by which this node still leads, and would ask without a pause.
//
// Plain; follower_stays is used by one thread at a time, a sent_away by any. Bounded: queues beyond the limit
// are sent to the leader at once.
#pragma once

#include "base/ids.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

namespace holdfast::actors {

// When a consumer of one queue was last sent to the leader. It asks for one thing after the other, so the two
// values need not change together.
class sent_away {
  public:
    void note(queue_offset offset, std::chrono::milliseconds now) {
        offset_.store(offset.value(), std::memory_order_relaxed);
        at_.store(now.count(), std::memory_order_relaxed);
    }
    [[nodiscard]] bool was_within(std::chrono::milliseconds span, queue_offset offset,
                                  std::chrono::milliseconds now) const {
        const auto at = at_.load(std::memory_order_relaxed);
        return at != never && offset_.load(std::memory_order_relaxed) == offset.value() &&
               now.count() - at < span.count();
    }

  private:
    static constexpr std::int64_t never = INT64_MIN;
    std::atomic<std::int64_t> at_{never};
    std::atomic<std::int64_t> offset_{0};
};
using sent_away_ptr = std::shared_ptr<sent_away>;

class follower_stays {
  public:
    static constexpr std::size_t most_name_bytes = 255;
    static constexpr std::chrono::milliseconds sweep_interval{1'000};

    struct visit {
        bool may_stay = false; // the next pull may come here too
        sent_away_ptr sent;    // null: not remembered
    };

    follower_stays(std::chrono::milliseconds longest, std::size_t most_queues)
        : longest_(longest), most_queues_(most_queues) {}

    // A pull at `now`, of a monotonic clock.
    [[nodiscard]] visit pulled(std::string_view group, std::string_view topic, queue_number queue,
                               std::chrono::milliseconds now) {
        if (group.size() > most_name_bytes || topic.size() > most_name_bytes)
            return {};
        auto key = std::tuple{std::string{group}, std::string{topic}, queue};
        auto known = stays_.find(key);
        if (known == stays_.end()) {
            if (stays_.size() >= most_queues_)
                sweep(now);
            if (stays_.size() >= most_queues_)
                return {};
            known = stays_.emplace(std::move(key), stay{now, true, std::make_shared<sent_away>()}).first;
        }
        auto& here = known->second;
        if (!here.is_staying)
            here = {now, true, here.sent};
        else if (now - here.since >= longest_)
            here.is_staying = false;
        return {here.is_staying, here.sent};
    }

  private:
    struct stay {
        std::chrono::milliseconds since;
        bool is_staying = true;
        sent_away_ptr sent;
    };

    void sweep(std::chrono::milliseconds now) {
        if (now < next_sweep_)
            return;
        next_sweep_ = now + sweep_interval;
        std::erase_if(stays_, [&](const auto& old) { return now - old.second.since >= longest_; });
    }

    const std::chrono::milliseconds longest_;
    const std::size_t most_queues_;
    std::map<std::tuple<std::string, std::string, queue_number>, stay> stays_;
    std::chrono::milliseconds next_sweep_{0};
};

} // namespace holdfast::actors
