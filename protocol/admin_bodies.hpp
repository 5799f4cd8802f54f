// Bodies of the administration (protocol reference 3.1, 3.7): topic lists, topic and group configs,
// connections, runtime tables.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/codes.hpp"
#include "protocol/heartbeat.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::protocol {

// 206 and its kin: `{"topicList":[...]}`, `brokerAddr` when not empty.
struct topic_list {
    std::vector<std::string> topics{};
    std::string broker_address{};
    friend bool operator==(const topic_list&, const topic_list&) = default;
};
[[nodiscard]] std::string encode_topic_list(const topic_list& list);
[[nodiscard]] result<topic_list> decode_topic_list(byte_view body);

// 300: `{"groupList":[...]}`.
[[nodiscard]] std::string encode_group_list(const std::vector<std::string>& groups);
[[nodiscard]] result<std::vector<std::string>> decode_group_list(byte_view body);

struct data_version {
    std::int64_t counter = 0;
    std::int64_t timestamp_ms = 0;
    friend bool operator==(const data_version&, const data_version&) = default;
};

struct topic_config {
    std::string name{};
    std::int32_t read_queue_count = 16;
    std::int32_t write_queue_count = 16;
    std::int32_t permission = permission::read_write;
    std::string filter_type = "SINGLE_TAG";
    std::int32_t sys_flag = 0;
    bool is_ordered = false;
    friend bool operator==(const topic_config&, const topic_config&) = default;
};

// 21.
struct topic_config_table {
    data_version version{};
    std::map<std::string, topic_config> topics{};
    friend bool operator==(const topic_config_table&, const topic_config_table&) = default;
};
[[nodiscard]] std::string encode_topic_configs(const topic_config_table& table);
[[nodiscard]] result<topic_config_table> decode_topic_configs(byte_view body);

struct group_config {
    std::string name{};
    bool consume_enable = true;
    bool consume_from_min_enable = true;
    bool consume_broadcast_enable = true;
    std::int32_t retry_queue_count = 1;
    std::int32_t retry_max_times = 16;
    std::int64_t broker_id = 0;
    std::int64_t which_broker_when_consume_slowly = 1;
    bool notify_consumer_ids_changed = true;
    friend bool operator==(const group_config&, const group_config&) = default;
};

// 200's body and 201's answer.
[[nodiscard]] std::string encode_group_config(const group_config& config);
[[nodiscard]] result<group_config> decode_group_config(byte_view body);
struct group_config_table {
    data_version version{};
    std::map<std::string, group_config> groups{};
    friend bool operator==(const group_config_table&, const group_config_table&) = default;
};
[[nodiscard]] std::string encode_group_configs(const group_config_table& table);
[[nodiscard]] result<group_config_table> decode_group_configs(byte_view body);

// 203 and 204.
struct client_connection {
    std::string client_id{};
    std::string address{}; // "ip:port"
    protocol::language language = protocol::language::java;
    std::int32_t version = 0;
    friend bool operator==(const client_connection&, const client_connection&) = default;
};
struct consumer_connections {
    std::vector<client_connection> connections{};
    consume_type type = consume_type::passively;
    message_model model = message_model::clustering;
    consume_from from = consume_from::last_offset;
    std::map<std::string, subscription_data> subscriptions{}; // by topic
    friend bool operator==(const consumer_connections&, const consumer_connections&) = default;
};
[[nodiscard]] std::string encode_consumer_connections(const consumer_connections& connections);
[[nodiscard]] result<consumer_connections> decode_consumer_connections(byte_view body);
[[nodiscard]] std::string encode_producer_connections(const std::vector<client_connection>& connections);
[[nodiscard]] result<std::vector<client_connection>> decode_producer_connections(byte_view body);

// 328: the clients of every producer group.
struct producer_info {
    client_connection client{};
    timestamp_ms last_heard{};
};
using producer_table = std::map<std::string, std::vector<producer_info>>;
[[nodiscard]] std::string encode_producer_table(const producer_table& producers);

// 28 and 219: `{"table":{"name":"value"}}`.
using text_table = std::map<std::string, std::string>;
[[nodiscard]] std::string encode_text_table(const text_table& table);
[[nodiscard]] result<text_table> decode_text_table(byte_view body);

} // namespace holdfast::protocol
