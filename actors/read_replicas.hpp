// Reads from followers (slaveReadEnable): which nodes consumers may pull from, under which broker ids, and
// when they shall (protocol reference 6.8).
//
// In routes the leader has id 0, whoever it is. A follower has its place among the names of the group's
// nodes, from 1 on: every node says the same, and it stays so whoever leads.
#pragma once

#include "actors/session_environment.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace holdfast::actors {

// Of a node that is not the leader; 0 for a name that is none of the group's.
[[nodiscard]] std::int64_t follower_id(const config::node_config& config, const std::string& node);

// What routes and the cluster's list say of this broker group: addresses by broker id. The followers are
// those that can be reached, and with slaveReadEnable only those that serve reads.
[[nodiscard]] std::map<std::int64_t, std::string> broker_addresses(const config::node_config& config,
                                                                   const cluster_view& cluster);

// So far behind the log's end, at `applied`, that the disk must be read for it.
[[nodiscard]] bool is_cold(const config::node_config& config, log_position applied, log_position position);

// The follower that a leader sends a consumer to who needs the log up to `needed`; empty when there is none.
// `spread`: consumers with different numbers go to different followers.
[[nodiscard]] std::string choose_reader(const config::node_config& config, const cluster_standing& standing,
                                        const std::map<std::string, group_node>& nodes, log_position needed,
                                        std::size_t spread);

// suggestWhichBrokerId of an answer of this node, for a pull of `queue` that has come to `position` in the
// log: 0, the leader, unless that is cold.
[[nodiscard]] std::int64_t suggested_broker(const session_environment& environment, queue_number queue,
                                            log_position position);

} // namespace holdfast::actors
