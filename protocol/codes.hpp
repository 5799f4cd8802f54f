// The numbers of the protocol by name: request and response codes (protocol reference 2, 3.0, 4), languages
// (1.3), versions (1.4) and the bits of flags (1.1, 3.1, 3.3, 5.3).
//
// A code from the wire need not be a named one: both enums hold any 32-bit value.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::protocol {

enum class request_code : std::int32_t {
    send_message = 10,
    pull_message = 11,
    query_message = 12,
    query_consumer_offset = 14,
    update_consumer_offset = 15,
    update_and_create_topic = 17,
    get_all_topic_config = 21,
    update_broker_config = 25,
    get_broker_config = 26,
    get_broker_runtime_info = 28,
    search_offset_by_timestamp = 29,
    get_max_offset = 30,
    get_min_offset = 31,
    get_earliest_message_store_time = 32,
    view_message_by_id = 33,
    heart_beat = 34,
    unregister_client = 35,
    consumer_send_message_back = 36,
    end_transaction = 37,
    get_consumer_list_by_group = 38,
    check_transaction_state = 39,
    notify_consumer_ids_changed = 40,
    lock_batch_mq = 41,
    unlock_batch_mq = 42,
    get_all_consumer_offset = 43,
    check_client_config = 46,
    put_kv_config = 100,
    get_kv_config = 101,
    delete_kv_config = 102,
    get_route_info_by_topic = 105,
    get_broker_cluster_info = 106,
    update_and_create_subscription_group = 200,
    get_all_subscription_group_config = 201,
    get_topic_stats_info = 202,
    get_consumer_connection_list = 203,
    get_producer_connection_list = 204,
    wipe_write_permission_of_broker = 205,
    get_all_topic_list_from_name_server = 206,
    delete_subscription_group = 207,
    get_consume_stats = 208,
    delete_topic_in_broker = 215,
    delete_topic_in_name_server = 216,
    get_kv_list_by_namespace = 219,
    reset_consumer_client_offset = 220,
    get_consumer_status_from_client = 221,
    invoke_broker_to_reset_offset = 222,
    invoke_broker_to_get_consumer_status = 223,
    get_topics_by_cluster = 224,
    query_topic_consume_by_who = 300,
    query_consume_time_span = 303,
    get_system_topic_list_from_name_server = 304,
    get_system_topic_list_from_broker = 305,
    clean_expired_consume_queue = 306,
    get_consumer_running_info = 307,
    consume_message_directly = 309,
    send_message_v2 = 310,
    clone_group_offset = 314,
    view_broker_stats_data = 315,
    clean_unused_topic = 316,
    get_broker_consume_stats = 317,
    update_name_server_config = 318,
    get_name_server_config = 319,
    send_batch_message = 320,
    query_consume_queue = 321,
    send_reply_message = 324,
    send_reply_message_v2 = 325,
    push_reply_message_to_client = 326,
    get_all_producer_info = 328,
    delete_expired_commit_log = 329,
    lite_pull_message = 361,
    recall_message = 370,
    explain_message = 30001, // our own command line's
    cluster_status = 30002,  // our own command line's
};

enum class response_code : std::int32_t {
    success = 0,
    system_error = 1,
    system_busy = 2,
    request_code_not_supported = 3,
    transaction_failed = 4,
    flush_disk_timeout = 10,
    slave_not_available = 11,
    flush_slave_timeout = 12,
    message_illegal = 13,
    service_not_available = 14,
    version_not_supported = 15,
    no_permission = 16,
    topic_not_exist = 17,
    topic_exist_already = 18,
    pull_not_found = 19,
    pull_retry_immediately = 20,
    pull_offset_moved = 21,
    query_not_found = 22,
    subscription_parse_failed = 23,
    subscription_not_exist = 24,
    subscription_not_latest = 25,
    subscription_group_not_exist = 26,
    filter_data_not_exist = 27,
    filter_data_not_latest = 28,
    invalid_parameter = 29,
    consumer_not_online = 206,
    consume_message_timeout = 207,
    no_message = 208,
    flow_control = 215,
    illegal_operation = 604,
};

// "PULL_NOT_FOUND" for 19; "code" for a number without a name (say the number beside it).
[[nodiscard]] std::string_view to_string(response_code code);

// Protocol reference 1.3. `unknown` stands for a name or number that is none of these: never a reason to
// refuse.
enum class language : std::uint8_t {
    java = 0,
    cpp = 1,
    dotnet = 2,
    python = 3,
    delphi = 4,
    erlang = 5,
    ruby = 6,
    other = 7,
    http = 8,
    go = 9,
    php = 10,
    oms = 11,
    rust = 12,
    node_js = 13,
    unknown = 255,
};

// The name as it stands in JSON ("JAVA"); "OTHER" for unknown.
[[nodiscard]] std::string_view to_string(language value);
[[nodiscard]] language language_named(std::string_view name);
[[nodiscard]] language language_numbered(std::int64_t ordinal);

// Protocol reference 1.4: ordinals of Java's MQVersion.
namespace version {
inline constexpr std::int32_t v3_4_9 = 121;
inline constexpr std::int32_t v4_1_0_snapshot = 232;
inline constexpr std::int32_t v4_9_4 = 401;
inline constexpr std::int32_t v4_9_8 = 409;
// From here on a request's maxReconsumeTimes is honoured (3.2).
inline constexpr std::int32_t honours_max_reconsume_times = v3_4_9;
// What broker, name service and our client say they are. Above 232, or Java refuses SQL subscriptions (T28).
inline constexpr std::int32_t announced = v4_9_8;
} // namespace version

// Bits of the header's `flag` (1.1).
namespace command_flag {
inline constexpr std::int32_t response = 1;
inline constexpr std::int32_t oneway = 2;
} // namespace command_flag

// Bits of a message's sysFlag (5.3).
namespace sys_flag {
inline constexpr std::int32_t compressed = 0x1;
inline constexpr std::int32_t multi_tags = 0x2;
inline constexpr std::int32_t transaction_mask = 0xC;
inline constexpr std::int32_t transaction_prepared = 0x4;
inline constexpr std::int32_t transaction_commit = 0x8;
inline constexpr std::int32_t transaction_rollback = 0xC;
inline constexpr std::int32_t born_host_ipv6 = 0x10;
inline constexpr std::int32_t store_host_ipv6 = 0x20;
inline constexpr std::int32_t inner_batch = 0x80;
inline constexpr std::int32_t compression_mask = 0x700;
} // namespace sys_flag

// Bits of a pull request's sysFlag (3.3).
namespace pull_flag {
inline constexpr std::int32_t commit_offset = 0x1;
inline constexpr std::int32_t suspend = 0x2;
inline constexpr std::int32_t subscription = 0x4;
inline constexpr std::int32_t class_filter = 0x8;
inline constexpr std::int32_t lite_pull = 0x10;
} // namespace pull_flag

// Bits of a topic's `perm` (3.1).
namespace permission {
inline constexpr std::int32_t inherit = 1;
inline constexpr std::int32_t write = 2;
inline constexpr std::int32_t read = 4;
inline constexpr std::int32_t priority = 8;
inline constexpr std::int32_t read_write = read | write;
} // namespace permission

// END_TRANSACTION's commitOrRollback (3.2).
enum class transaction_end : std::int32_t { unknown = 0, commit = 8, rollback = 12 };

} // namespace holdfast::protocol
