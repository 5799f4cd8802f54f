// Offsets (protocol reference 3.4): codes 14, 15, 29, 30, 31, 32.
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <optional>
#include <string_view>

namespace holdfast::protocol {

// Code 14. QUERY_NOT_FOUND (22) means: nothing stored. Any other error is taken for the same by most clients,
// so while the offset may exist but can't be read the broker must not answer at all (T1).
struct query_consumer_offset_request {
    static constexpr request_code code = request_code::query_consumer_offset;
    std::string_view consumer_group{};
    std::string_view topic{};
    queue_number queue{};
    std::optional<bool> set_zero_if_not_found{}; // 5.x; false forces 22

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("consumerGroup", self.consumer_group);
        at.required("topic", self.topic);
        at.required("queueId", self.queue);
        at.optional("setZeroIfNotFound", self.set_zero_if_not_found);
    }
};

// Code 15, usually oneway. Lowering an offset is allowed (6.4).
struct update_consumer_offset_request {
    static constexpr request_code code = request_code::update_consumer_offset;
    std::string_view consumer_group{};
    std::string_view topic{};
    queue_number queue{};
    queue_offset commit_offset{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("consumerGroup", self.consumer_group);
        at.required("topic", self.topic);
        at.required("queueId", self.queue);
        at.required("commitOffset", self.commit_offset);
    }
};

// Code 29. `boundary` is 5.x: "LOWER" or "UPPER" in any case, empty = not said.
struct search_offset_request {
    static constexpr request_code code = request_code::search_offset_by_timestamp;
    std::string_view topic{};
    queue_number queue{};
    timestamp_ms timestamp{};
    std::string_view boundary{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.required("queueId", self.queue);
        at.required("timestamp", self.timestamp);
        at.optional("boundaryType", self.boundary);
    }
};

// Codes 30, 31, 32 ask about one queue.
template <request_code Code>
struct queue_request {
    static constexpr request_code code = Code;
    std::string_view topic{};
    queue_number queue{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.required("queueId", self.queue);
    }
};
using get_max_offset_request = queue_request<request_code::get_max_offset>;
using get_min_offset_request = queue_request<request_code::get_min_offset>;
using get_earliest_store_time_request = queue_request<request_code::get_earliest_message_store_time>;

// The answer to 14, 29, 30 and 31.
struct offset_response {
    queue_offset offset{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("offset", self.offset);
    }
};

// The answer to 32; -1 when there is no message.
struct store_time_response {
    timestamp_ms timestamp{-1};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("timestamp", self.timestamp);
    }
};

} // namespace holdfast::protocol
