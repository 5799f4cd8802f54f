// Names of topics and groups (protocol reference 6.2, 6.5).
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::protocol {

inline constexpr std::string_view retry_prefix = "%RETRY%";
inline constexpr std::string_view dead_letter_prefix = "%DLQ%";
inline constexpr std::string_view auto_create_topic = "TBW102"; // the template for topics made on first send
inline constexpr std::string_view schedule_topic = "SCHEDULE_TOPIC_XXXX";
inline constexpr std::string_view half_topic = "RMQ_SYS_TRANS_HALF_TOPIC";
inline constexpr std::string_view half_operation_topic = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
inline constexpr std::string_view check_exhausted_topic = "TRANS_CHECK_MAX_TIME_TOPIC";
inline constexpr std::string_view trace_topic = "RMQ_SYS_TRACE_TOPIC";
inline constexpr std::string_view self_test_topic = "SELF_TEST_TOPIC";
inline constexpr std::string_view offset_moved_topic = "OFFSET_MOVED_EVENT";
inline constexpr std::string_view benchmark_topic = "BenchmarkTest";
inline constexpr std::string_view system_topic_prefix = "rmq_sys_";
inline constexpr std::string_view system_group_prefix = "CID_RMQ_SYS_";
inline constexpr std::string_view client_inner_producer_group = "CLIENT_INNER_PRODUCER";

// Characters % | a-z A-Z 0-9 _ - and 1 .. 127 bytes. The error says what is wrong and what is allowed.
[[nodiscard]] result<void> check_topic_name(std::string_view topic);
// The same characters and 1 .. 120 bytes, so that the group's %RETRY% topic is nameable (127 bytes).
[[nodiscard]] result<void> check_group_name(std::string_view group);

// Built in: users can't create, change or delete it. Cluster and broker names are the caller's to compare.
[[nodiscard]] bool is_reserved_topic(std::string_view topic);
// Clients may not send to it (NO_PERMISSION).
[[nodiscard]] bool is_forbidden_to_send(std::string_view topic);
[[nodiscard]] bool is_system_group(std::string_view group);

[[nodiscard]] std::string retry_topic_of(std::string_view group);
[[nodiscard]] std::string dead_letter_topic_of(std::string_view group);
[[nodiscard]] bool is_retry_topic(std::string_view topic);
[[nodiscard]] bool is_dead_letter_topic(std::string_view topic);
// The group of a %RETRY% or %DLQ% topic.
[[nodiscard]] std::optional<std::string_view> group_of_topic(std::string_view topic);

} // namespace holdfast::protocol
