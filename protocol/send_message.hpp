// Sends (protocol reference 3.2): codes 10, 310, 320 and the replies 324, 325 carry one logical header, under
// long names in 10 and 324 and one-letter names in the others.
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <optional>
#include <string_view>

namespace holdfast::protocol {

// Texts and body are views into the command it was decoded from.
struct send_message_request {
    std::string_view producer_group{};
    std::string_view topic{};
    std::string_view default_topic{}; // the template for auto-creation, normally TBW102
    std::int32_t default_topic_queue_count = 4;
    std::int32_t queue_id = 0; // negative: the broker picks a queue
    std::int32_t sys_flag = 0;
    timestamp_ms born{};
    std::int32_t flag = 0; // the user's own
    std::string_view properties{};
    std::int32_t reconsume_times = 0;
    bool unit_mode = false;
    std::optional<std::int32_t> max_reconsume_times{};
    bool is_batch = false; // the body is a batch (batch.hpp): code 320, or 310 with m=true (T12)
    std::string_view broker_name{};
    byte_view body{};

    // The fields under their long names.
    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("producerGroup", self.producer_group);
        at.required("topic", self.topic);
        at.required("defaultTopic", self.default_topic);
        at.required("defaultTopicQueueNums", self.default_topic_queue_count);
        at.required("queueId", self.queue_id);
        at.required("sysFlag", self.sys_flag);
        at.required("bornTimestamp", self.born);
        at.required("flag", self.flag);
        at.optional("properties", self.properties);
        at.optional("reconsumeTimes", self.reconsume_times);
        at.optional("unitMode", self.unit_mode);
        at.optional("maxReconsumeTimes", self.max_reconsume_times);
        at.optional("batch", self.is_batch);
        at.optional("bname", self.broker_name);
    }
};

[[nodiscard]] constexpr bool is_send(request_code code) {
    return code == request_code::send_message || code == request_code::send_message_v2 ||
           code == request_code::send_batch_message;
}

// Reads a send of any of the codes 10, 310, 320, 324, 325; one pass over the fields, no allocation unless it
// fails. The error names the field.
[[nodiscard]] result<send_message_request> decode_send_message(const remoting_command& command);

// The answer. MSG_REGION and TRACE_ON go with every answer to a send, errors too: the Java client looks into
// extFields without asking whether they are there.
struct send_message_response {
    std::string_view
        message_id; // an offset message id (message_id.hpp); of a batch, all of them joined by ','
    std::int32_t queue_id = 0;
    queue_offset offset{}; // of a batch's first message
    std::string_view transaction_id{};
    std::string_view recall_handle{}; // of a delayed message: what 370 takes to cancel it
    std::string_view region = "DefaultRegion";
    bool trace_on = true;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("msgId", self.message_id);
        at.required("queueId", self.queue_id);
        at.required("queueOffset", self.offset);
        at.optional("transactionId", self.transaction_id);
        at.optional("recallHandle", self.recall_handle);
        at.optional("MSG_REGION", self.region);
        at.optional("TRACE_ON", self.trace_on);
    }
};

// The fields of a send that failed.
struct send_message_failure {
    std::string_view region = "DefaultRegion";
    bool trace_on = true;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.optional("MSG_REGION", self.region);
        at.optional("TRACE_ON", self.trace_on);
    }
};

// Code 36: a consumer gives a message back for a later try (6.5). No body; answered without fields.
struct consumer_send_message_back_request {
    static constexpr request_code code = request_code::consumer_send_message_back;
    log_position offset{}; // of the message in the log
    std::string_view group{};
    std::int32_t delay_level = 0; // 0 the broker chooses, < 0 dead letter, > 0 that level
    std::string_view origin_message_id{};
    std::string_view origin_topic{};
    bool unit_mode = false;
    std::optional<std::int32_t> max_reconsume_times{};
    std::string_view broker_name{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("offset", self.offset);
        at.required("group", self.group);
        at.required("delayLevel", self.delay_level);
        at.optional("originMsgId", self.origin_message_id);
        at.optional("originTopic", self.origin_topic);
        at.optional("unitMode", self.unit_mode);
        at.optional("maxReconsumeTimes", self.max_reconsume_times);
        at.optional("bname", self.broker_name);
    }
};

// Code 370 (7.6): cancels a delayed message that is not due yet. 604 when the handle makes no sense.
struct recall_message_request {
    static constexpr request_code code = request_code::recall_message;
    std::string_view topic{};
    std::string_view recall_handle{};
    std::string_view producer_group{};
    std::string_view broker_name{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.required("recallHandle", self.recall_handle);
        at.optional("producerGroup", self.producer_group);
        at.optional("bname", self.broker_name);
    }
};
struct recall_message_response {
    std::string_view message_id{}; // the UNIQ_KEY

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("msgId", self.message_id);
    }
};

} // namespace holdfast::protocol
