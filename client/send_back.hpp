// A message on its way back to the broker, for a later try or into the dead-letter queue (protocol reference
// 6.5).
//
// First CONSUMER_SEND_MSG_BACK (36) to the broker it came from. Should that fail, a plain copy is sent to the
// group's retry topic, as the Java client does. A word of success means that the broker has it on disk; no
// answer may mean that it has it all the same, so the message can come twice, and is never lost.
#pragma once

#include "base/result.hpp"
#include "client/call.hpp"
#include "client/message_view.hpp"
#include "client/routes.hpp"
#include "protocol/send_message.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::client {

// Level 0: the broker chooses by the number of tries; below: the dead-letter queue; above: that level.
struct send_back {
    std::string group;
    std::int32_t level = 0;
    std::optional<std::int32_t> max_reconsume_times; // empty = as the group is configured
    std::string broker_name;                         // where it came from
};

// The copy for the retry topic, without what the broker adds again or what would change its way.
struct retry_copy {
    std::string topic{};
    std::string properties{};
    std::int32_t sys_flag = 0;
    std::int32_t reconsume_times = 0;
    std::optional<std::int32_t> max_reconsume_times{};
};
[[nodiscard]] retry_copy make_retry_copy(const message_view& message, const send_back& how);

// Asks the broker that has the message. `done` as with ask().
void ask_to_take_back(connection& broker, const message_view& message, const send_back& how,
                      std::chrono::milliseconds timeout, call_handler done);
// Sends the copy to one of the retry topic's queues.
void send_retry_copy(const placed_queue& to, const message_view& message, const send_back& how,
                     std::chrono::milliseconds timeout, call_handler done);

} // namespace holdfast::client
