// Membership (protocol reference 3.5, 4.2, 4.3) and the administration of groups (3.7).
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <optional>
#include <string_view>

namespace holdfast::protocol {

// Requests that are nothing but a code, or a code and a body.
template <request_code Code>
struct bare_request : no_fields {
    static constexpr request_code code = Code;
};
using heart_beat_request = bare_request<request_code::heart_beat>;                   // body: heartbeat.hpp
using lock_batch_request = bare_request<request_code::lock_batch_mq>;                // body: queue_bodies.hpp
using unlock_batch_request = bare_request<request_code::unlock_batch_mq>;            // body: queue_bodies.hpp
using check_client_config_request = bare_request<request_code::check_client_config>; // body: heartbeat.hpp
using update_subscription_group_request =
    bare_request<request_code::update_and_create_subscription_group>; // body: admin_bodies.hpp
using get_all_subscription_groups_request = bare_request<request_code::get_all_subscription_group_config>;

// Requests whose one field is a consumer group: 38, 203, and the broker's own 40 (oneway).
template <request_code Code>
struct consumer_group_request {
    static constexpr request_code code = Code;
    std::string_view consumer_group{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("consumerGroup", self.consumer_group);
    }
};
using get_consumer_list_request = consumer_group_request<request_code::get_consumer_list_by_group>;
using get_consumer_connections_request = consumer_group_request<request_code::get_consumer_connection_list>;
using notify_consumer_ids_changed_request = consumer_group_request<request_code::notify_consumer_ids_changed>;

// Code 35. One of the groups; the C++ client sends the other one empty.
struct unregister_client_request {
    static constexpr request_code code = request_code::unregister_client;
    std::string_view client_id{};
    std::string_view producer_group{};
    std::string_view consumer_group{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("clientID", self.client_id);
        at.optional("producerGroup", self.producer_group);
        at.optional("consumerGroup", self.consumer_group);
    }
};

// Code 204.
struct get_producer_connections_request {
    static constexpr request_code code = request_code::get_producer_connection_list;
    std::string_view producer_group{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("producerGroup", self.producer_group);
    }
};

// Code 207. The switch was renamed in 5.x (T24); both names are read and written.
struct delete_subscription_group_request {
    static constexpr request_code code = request_code::delete_subscription_group;
    std::string_view group{};
    bool remove_offset = false;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("groupName", self.group);
        at.optional("removeOffset", self.remove_offset);
        at.optional("cleanOffset", self.remove_offset);
    }
};

// Code 208. No topic: all the group's.
struct get_consume_stats_request {
    static constexpr request_code code = request_code::get_consume_stats;
    std::string_view consumer_group{};
    std::string_view topic{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("consumerGroup", self.consumer_group);
        at.optional("topic", self.topic);
    }
};

// Code 314. No topic: all that the first group has offsets in.
struct clone_group_offset_request {
    static constexpr request_code code = request_code::clone_group_offset;
    std::string_view from_group{};
    std::string_view to_group{};
    std::string_view topic{};
    bool is_offline = false; // has no meaning here: members follow by themselves

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("srcGroup", self.from_group);
        at.required("destGroup", self.to_group);
        at.optional("topic", self.topic);
        at.optional("offline", self.is_offline);
    }
};

// Code 222, and with the same fields the broker's 220 to the clients. Timestamp -1 = the latest.
template <request_code Code>
struct reset_offset_fields {
    static constexpr request_code code = Code;
    std::string_view topic{};
    std::string_view group{};
    timestamp_ms timestamp{-1};
    bool is_forced = false;
    std::optional<std::int32_t> queue_id{}; // 5.x; -1 = all
    std::optional<std::int64_t> offset{};   // 5.x

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.required("group", self.group);
        at.required("timestamp", self.timestamp);
        at.required("isForce", self.is_forced);
        at.optional("queueId", self.queue_id);
        at.optional("offset", self.offset);
    }
};
using reset_offset_request = reset_offset_fields<request_code::invoke_broker_to_reset_offset>;
using reset_client_offset_request = reset_offset_fields<request_code::reset_consumer_client_offset>;

} // namespace holdfast::protocol
