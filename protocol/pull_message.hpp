// Pulls (protocol reference 3.3): code 11, and 361 with the same fields.
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <string_view>

namespace holdfast::protocol {

struct pull_message_request {
    static constexpr request_code code = request_code::pull_message;
    std::string_view consumer_group{};
    std::string_view topic{};
    queue_number queue{};
    queue_offset offset{}; // first one wanted
    std::int32_t max_messages = 32;
    std::int32_t sys_flag = 0;           // bits of pull_flag
    queue_offset commit_offset{};        // to store, if the bit says so
    std::int64_t suspend_timeout_ms = 0; // how long the request may be held
    std::string_view subscription{};     // the expression, if the bit says so
    std::int64_t subscription_version = 0;
    std::string_view expression_type{}; // empty = TAG
    std::int32_t max_message_bytes = 0; // 5.x; 0 = not said
    std::string_view broker_name{};

    [[nodiscard]] bool has(std::int32_t bit) const { return (sys_flag & bit) != 0; }

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("consumerGroup", self.consumer_group);
        at.required("topic", self.topic);
        at.required("queueId", self.queue);
        at.required("queueOffset", self.offset);
        at.required("maxMsgNums", self.max_messages);
        at.required("sysFlag", self.sys_flag);
        at.required("commitOffset", self.commit_offset);
        at.required("suspendTimeoutMillis", self.suspend_timeout_ms);
        at.optional("subscription", self.subscription);
        at.required("subVersion", self.subscription_version);
        at.optional("expressionType", self.expression_type);
        at.optional("maxMsgBytes", self.max_message_bytes);
        at.optional("bname", self.broker_name);
    }
};

// All four are there in every answer that reached the queue, found or not. The body is stored records (5.1),
// one after the other.
struct pull_message_response {
    std::int64_t suggest_broker_id = 0;
    queue_offset next_begin_offset{};
    queue_offset min_offset{};
    queue_offset max_offset{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("suggestWhichBrokerId", self.suggest_broker_id);
        at.required("nextBeginOffset", self.next_begin_offset);
        at.required("minOffset", self.min_offset);
        at.required("maxOffset", self.max_offset);
    }
};

} // namespace holdfast::protocol
