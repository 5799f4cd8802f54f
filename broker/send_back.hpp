// A message that its consumer could not process: where it goes next (CONSUMER_SEND_MSG_BACK, protocol
// reference 3.2, 6.5).
//
// Plain code: the retry service drives it. The message is written again, with its count and its origin, into
// the group's retry topic, where it comes due after the back-off of the delay levels; or into the group's
// dead letters when it was tried often enough.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/entry_draft.hpp"
#include "broker/records.hpp"
#include "broker/send_properties.hpp"
#include "protocol/host.hpp"
#include "protocol/stored_message.hpp"

#include <optional>
#include <string>

namespace holdfast::broker {

struct send_back_request {
    std::int32_t delay_level = 0; // 0: by how often it was tried; negative: to the dead letters at once
    std::optional<std::int32_t> max_reconsume_times; // the consumer's; nothing: the group's
};

struct send_back_plan {
    std::string topic;      // %RETRY%group or %DLQ%group
    std::int32_t level = 0; // of its delay; 0: none
    std::int32_t reconsume_times = 0;
};
[[nodiscard]] send_back_plan plan_send_back(const protocol::stored_message_view& message,
                                            const group_config& group, const send_back_request& request);

// Adds the message to `draft`. Nothing that was stored is refused; an error (invalid_argument) would be of
// the topic's making.
result<void> add_sent_back(const protocol::stored_message_view& message, const send_back_plan& plan,
                           const topic_config& topic, std::uint32_t spread, const delay_rules& rules,
                           const protocol::ipv4_host& store_host, entry_draft& draft);

} // namespace holdfast::broker
