// Which topics a connection pulled by their names, group by group and queue by queue.
//
// A topic that is deleted and made again keeps its name, but its queues start anew under another id. A
// consumer that stays connected speaks of the old one until it is told: what it pulls and commits next is no
// place in the new one.
//
// Plain; used by one thread at a time. Bounded: pulls beyond the limit are not remembered.
#pragma once

#include "base/ids.hpp"

#include <map>
#include <string>
#include <string_view>

namespace holdfast::actors {

class pulled_topics {
  public:
    explicit pulled_topics(std::size_t most_queues) : most_queues_(most_queues) {}

    // A pull. True: the one before it was of a topic of that name that is gone.
    bool pulled(std::string_view group, std::string_view topic, queue_key queue) {
        const auto* const before = find(group, topic, queue.queue);
        if (before != nullptr && *before == queue.topic)
            return false;
        const bool is_new = before == nullptr;
        if (is_new && size_ >= most_queues_)
            return false;
        size_ += is_new ? 1 : 0;
        groups_[std::string{group}][std::string{topic}][queue.queue] = queue.topic;
        return !is_new;
    }
    // Whether the connection still means a topic of that name that is gone.
    [[nodiscard]] bool means_another(std::string_view group, std::string_view topic, queue_key queue) const {
        const auto* const before = find(group, topic, queue.queue);
        return before != nullptr && *before != queue.topic;
    }
    [[nodiscard]] bool has_pulled_for(std::string_view group) const { return groups_.contains(group); }

  private:
    using queues = std::map<queue_number, topic_id>;

    [[nodiscard]] const topic_id* find(std::string_view group, std::string_view topic,
                                       queue_number queue) const {
        const auto of_group = groups_.find(group);
        if (of_group == groups_.end())
            return nullptr;
        const auto of_topic = of_group->second.find(topic);
        if (of_topic == of_group->second.end())
            return nullptr;
        const auto found = of_topic->second.find(queue);
        return found == of_topic->second.end() ? nullptr : &found->second;
    }
    const std::size_t most_queues_;
    std::size_t size_ = 0;
    std::map<std::string, std::map<std::string, queues, std::less<>>, std::less<>> groups_;
};

} // namespace holdfast::actors
