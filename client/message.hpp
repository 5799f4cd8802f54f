// What an application sends, and where it went.
//
// `message` owns its strings; the producer moves it in and keeps it until the broker has answered, because a
// retry sends it again. Limits: protocol reference 5.4 and 6.2.
#pragma once

#include "base/ids.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::client {

// One queue of a topic, as clients name it everywhere.
struct message_queue {
    std::string topic;
    std::string broker_name;
    queue_number queue;
    friend auto operator<=>(const message_queue&, const message_queue&) = default;
};

struct message {
    std::string topic;
    std::string body;
    // One tag, by which consumers filter; empty = none.
    std::string tag{};
    // Keys for look-ups, separated by spaces; empty = none.
    std::string keys{};
    // The application's own properties. Names and values are non-empty and hold no bytes 1 or 2, and names do
    // not collide with the reserved ones of protocol reference 5.4.
    std::vector<std::pair<std::string, std::string>> properties{};
    // Passed through to the consumer untouched.
    std::int32_t flag = 0;
    // At most one of the three: not seen by consumers before then. Levels are the broker's
    // `messageDelayLevel`, 1 (1 s) to 18 (2 h) unless changed; times are exact to the broker's precision, and
    // one in the past means at once.
    std::int32_t delay_level = 0;
    std::int64_t deliver_after_ms = 0;
    timestamp_ms deliver_at{};

    [[nodiscard]] bool is_delayed() const {
        return delay_level != 0 || deliver_after_ms != 0 || deliver_at.value() != 0;
    }
};

} // namespace holdfast::client
