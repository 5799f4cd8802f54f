// What `holdfast cluster status` makes of the nodes' answers.
#pragma once

#include "base/result.hpp"
#include "protocol/cluster_status.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::cli {

// Replicas further behind the leader than this are a problem.
inline constexpr std::uint64_t most_lag_bytes = 1U << 20U;
// So are those that the leader has not heard of for so long.
inline constexpr std::int64_t most_silence_ms = 10'000;

struct node_answer {
    std::string asked; // the name server's address
    result<protocol::cluster_status> status;
};

// A line per node: those that answered, those that did not (with the reason), and members that nobody asked.
[[nodiscard]] std::string cluster_table(const std::vector<node_answer>& answers);

// What is not as it should be, a sentence each. Empty: there is a leader, all nodes that were asked answered,
// and all replicas are within most_lag_bytes of the leader.
[[nodiscard]] std::vector<std::string> cluster_problems(const std::vector<node_answer>& answers);

} // namespace holdfast::cli
