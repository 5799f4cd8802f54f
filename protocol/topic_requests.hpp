// Routes and topics (protocol reference 3.1, 3.7).
#pragma once

#include "protocol/group_requests.hpp"
#include "protocol/header_fields.hpp"

#include <string_view>

namespace holdfast::protocol {

// Code 105; the answer's body is in route.hpp.
struct get_route_info_request {
    static constexpr request_code code = request_code::get_route_info_by_topic;
    std::string_view topic{};
    bool accept_standard_json_only = false;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.optional("acceptStandardJsonOnly", self.accept_standard_json_only);
    }
};

using get_cluster_info_request = bare_request<request_code::get_broker_cluster_info>;
using get_topic_list_request = bare_request<request_code::get_all_topic_list_from_name_server>;
using get_all_topic_config_request = bare_request<request_code::get_all_topic_config>;
using get_runtime_info_request = bare_request<request_code::get_broker_runtime_info>;

// Code 17. The C++ client omits `order`.
struct update_topic_request {
    static constexpr request_code code = request_code::update_and_create_topic;
    std::string_view topic{};
    std::string_view default_topic{};
    std::int32_t read_queue_count = 0;
    std::int32_t write_queue_count = 0;
    std::int32_t permission = permission::read_write;
    std::string_view filter_type = "SINGLE_TAG";
    std::int32_t sys_flag = 0;
    bool is_ordered = false;

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.optional("defaultTopic", self.default_topic);
        at.required("readQueueNums", self.read_queue_count);
        at.required("writeQueueNums", self.write_queue_count);
        at.required("perm", self.permission);
        at.optional("topicFilterType", self.filter_type);
        at.optional("topicSysFlag", self.sys_flag);
        at.optional("order", self.is_ordered);
    }
};

// Requests whose one field is a topic: 202, 215, 300.
template <request_code Code>
struct topic_request {
    static constexpr request_code code = Code;
    std::string_view topic{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
    }
};
using get_topic_stats_request = topic_request<request_code::get_topic_stats_info>;
using delete_topic_request = topic_request<request_code::delete_topic_in_broker>;
using query_topic_consumers_request = topic_request<request_code::query_topic_consume_by_who>;

// Code 216, to the name service.
struct delete_topic_in_name_server_request {
    static constexpr request_code code = request_code::delete_topic_in_name_server;
    std::string_view topic{};
    std::string_view cluster{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("topic", self.topic);
        at.optional("clusterName", self.cluster);
    }
};

// Code 224.
struct get_topics_by_cluster_request {
    static constexpr request_code code = request_code::get_topics_by_cluster;
    std::string_view cluster{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("cluster", self.cluster);
    }
};

} // namespace holdfast::protocol
