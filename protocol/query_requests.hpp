// Looking messages up (protocol reference 3.6): codes 12 and 33.
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <string_view>

namespace holdfast::protocol {

// Code 12: by a word of KEYS, or by UNIQ_KEY. The answer's body is stored records; the client filters again.
struct query_message_request {
    static constexpr request_code code = request_code::query_message;
    std::string_view topic{};
    std::string_view key{};
    std::int32_t max_messages = 32;
    timestamp_ms begin{};
    timestamp_ms end{};
    bool is_unique_key = false;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.required("key", self.key);
        at.required("maxNum", self.max_messages);
        at.required("beginTimestamp", self.begin);
        at.required("endTimestamp", self.end);
        at.optional("_UNIQUE_KEY_QUERY", self.is_unique_key);
    }
};

struct query_message_response {
    timestamp_ms index_last_update{};
    std::int64_t index_last_update_position = 0;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("indexLastUpdateTimestamp", self.index_last_update);
        at.required("indexLastUpdatePhyoffset", self.index_last_update_position);
    }
};

// Code 33: by place in the log. The answer's body is the one record; SYSTEM_ERROR if there is none.
struct view_message_request {
    static constexpr request_code code = request_code::view_message_by_id;
    log_position offset{};
    std::string_view topic{}; // 5.x

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("offset", self.offset);
        at.optional("topic", self.topic);
    }
};

// Code 30001, of our own command line only: where a message stands. The answer's body is JSON.
struct explain_request {
    static constexpr request_code code = request_code::explain_message;
    std::string_view key{};   // the broker's id (33), a UNIQ_KEY or a word of KEYS
    std::string_view topic{}; // empty: all

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("key", self.key);
        at.optional("topic", self.topic);
    }
};

} // namespace holdfast::protocol
