// The durable facts besides messages: topics, groups, consumer offsets; and their bytes.
//
// The same encoding serves the log's commands and the derived store's values. Little-endian, strings with a
// u16 length before them, a version byte first, so that a later field can be added.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::broker {

// Protocol reference 3.1: permission bits of a topic.
namespace permission {
inline constexpr std::uint32_t inherit = 1;
inline constexpr std::uint32_t write = 2;
inline constexpr std::uint32_t read = 4;
inline constexpr std::uint32_t read_write = read | write;
} // namespace permission

struct topic_config {
    std::string name;
    topic_id id; // 0 in a command: apply gives a new topic its id
    std::uint32_t read_queues = 8;
    std::uint32_t write_queues = 8;
    std::uint32_t permissions = permission::read_write;
    std::uint32_t sys_flag = 0;
    bool order = false;
    bool multi_tags = false;

    [[nodiscard]] bool readable() const { return (permissions & permission::read) != 0; }
    [[nodiscard]] bool writable() const { return (permissions & permission::write) != 0; }
    friend bool operator==(const topic_config&, const topic_config&) = default;
};

// Protocol reference 3.7, code 200.
struct group_config {
    std::string name;
    bool consume_enable = true;
    bool consume_from_min_enable = true;
    bool consume_broadcast_enable = true;
    bool notify_consumer_ids_changed = true;
    std::uint32_t retry_queues = 1;
    std::uint32_t retry_max_times = 16;
    std::int64_t broker_id = 0;
    std::int64_t which_broker_when_slow = 1;

    friend bool operator==(const group_config&, const group_config&) = default;
};

// One consumer group's progress in one queue: the next offset it wants.
struct offset_commit {
    std::string group;
    queue_key queue;
    queue_offset next;

    friend bool operator==(const offset_commit&, const offset_commit&) = default;
};

[[nodiscard]] std::string encode(const topic_config& config);
[[nodiscard]] std::string encode(const group_config& config);
[[nodiscard]] std::string encode(const std::vector<offset_commit>& commits);

result<topic_config> decode_topic_config(byte_view bytes);
result<group_config> decode_group_config(byte_view bytes);
result<std::vector<offset_commit>> decode_offset_commits(byte_view bytes);

} // namespace holdfast::broker
