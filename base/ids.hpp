// The ids, offsets and times of the whole house. One page, so that every room means the same by the same
// word.
#pragma once

#include "base/strong.hpp"

namespace holdfast {

// A byte position in the replicated log of a broker group, counted from the group's birth; the same on every
// replica. It is the "physical offset" and the "commit-log offset" of RocketMQ's protocol. Never negative.
using log_position = strong<struct log_position_tag, std::uint64_t>;

// Raft's term (thesis 3.3): the number of a leadership. 0 = before the first one.
using term_number = strong<struct term_number_tag, std::uint64_t>;

// A message's place in one queue, dense from 0. Given out by apply, never stored in the record.
using queue_offset = strong<struct queue_offset_tag, std::int64_t>;

// One incarnation of a topic. A topic deleted and created again is another topic_id. 0 = none.
using topic_id = strong<struct topic_id_tag, std::uint32_t>;

// A queue's number within its topic, 0 .. queues-1.
using queue_number = strong<struct queue_number_tag, std::uint32_t>;

// A TCP connection of this process, never reused.
using connection_id = strong<struct connection_id_tag, std::uint64_t>;

// Milliseconds since 1970-01-01 UTC: the wire's and the log's unit of wall-clock time.
using timestamp_ms = strong<struct timestamp_ms_tag, std::int64_t>;

// One queue of one topic incarnation.
struct queue_key {
    topic_id topic;
    queue_number queue;
    friend auto operator<=>(const queue_key&, const queue_key&) = default;
    [[nodiscard]] constexpr std::uint64_t packed() const {
        return (std::uint64_t{topic.value()} << 32U) | queue.value();
    }
};

} // namespace holdfast

template <>
struct std::hash<holdfast::queue_key> {
    std::size_t operator()(const holdfast::queue_key& key) const noexcept {
        // Fibonacci hashing spreads the dense ids over the whole word.
        return static_cast<std::size_t>(key.packed() * 0x9E3779B97F4A7C15ULL);
    }
};
