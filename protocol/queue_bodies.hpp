// Bodies about queues and members (protocol reference 3.5, 3.7, 4.3): locks, member lists, tables keyed by
// queue.
//
// A table's key is the queue as a raw JSON object, `{{"brokerName":"b","queueId":0,"topic":"T"}:5}`, which is
// not legal JSON and exactly what clients want (T10). Reading takes it, and the key as a quoted text too.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::protocol {

struct message_queue {
    std::string topic{};
    std::string broker_name{};
    std::int32_t queue_id = 0;
    friend auto operator<=>(const message_queue&, const message_queue&) = default;
};

// 41 and 42: the request's body, and 41's answer, which names the queues that the client holds now.
struct lock_batch_body {
    std::string consumer_group{};
    std::string client_id{};
    std::vector<message_queue> queues{};
    friend bool operator==(const lock_batch_body&, const lock_batch_body&) = default;
};
[[nodiscard]] std::string encode_lock_batch(const lock_batch_body& body);
[[nodiscard]] result<lock_batch_body> decode_lock_batch(byte_view body);
[[nodiscard]] std::string encode_locked_queues(const std::vector<message_queue>& queues);
[[nodiscard]] result<std::vector<message_queue>> decode_locked_queues(byte_view body);

// 38: `{"consumerIdList":[...]}`.
[[nodiscard]] std::string encode_consumer_ids(const std::vector<std::string>& ids);
[[nodiscard]] result<std::vector<std::string>> decode_consumer_ids(byte_view body);

// 220 and 222's answer: `{"offsetTable":{{queue}:offset}}`, and the list form that C++ clients want for 220.
using queue_offset_table = std::map<message_queue, queue_offset>;
[[nodiscard]] std::string encode_offset_table(const queue_offset_table& table);
[[nodiscard]] std::string encode_offset_list(const queue_offset_table& table);
// Reads either form.
[[nodiscard]] result<queue_offset_table> decode_offset_table(byte_view body);

// 43: `{"offsetTable":{"topic@group":{0:5,1:7}}}`, queue numbers without quotes.
using stored_offsets = std::map<std::string, std::map<std::int32_t, queue_offset>>;
[[nodiscard]] std::string encode_stored_offsets(const stored_offsets& offsets);
[[nodiscard]] result<stored_offsets> decode_stored_offsets(byte_view body);

// 202: `{"offsetTable":{{queue}:{"lastUpdateTimestamp":0,"maxOffset":5,"minOffset":0}}}`.
struct queue_stats {
    queue_offset min_offset{};
    queue_offset max_offset{};
    timestamp_ms last_update{};
    friend bool operator==(const queue_stats&, const queue_stats&) = default;
};
using topic_stats = std::map<message_queue, queue_stats>;
[[nodiscard]] std::string encode_topic_stats(const topic_stats& stats);
[[nodiscard]] result<topic_stats> decode_topic_stats(byte_view body);

// 208: how far a group is, queue by queue.
struct consume_progress {
    queue_offset broker_offset{};
    queue_offset consumer_offset{};
    timestamp_ms last_timestamp{};
    friend bool operator==(const consume_progress&, const consume_progress&) = default;
};
struct consume_stats {
    double consume_tps = 0;
    std::map<message_queue, consume_progress> queues{};
};
[[nodiscard]] std::string encode_consume_stats(const consume_stats& stats);
[[nodiscard]] result<consume_stats> decode_consume_stats(byte_view body);

} // namespace holdfast::protocol
