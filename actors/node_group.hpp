// The group that a node's config names: how it is reached, what its replica and its sessions are told, and
// whether the data on the disk belongs to it.
#pragma once

#include "actors/boot.hpp"
#include "actors/commit_log.hpp"
#include "actors/peer_directory.hpp"
#include "broker/message_intake.hpp"

namespace holdfast::actors {

[[nodiscard]] cluster_settings links_of(const config::node_config& config,
                                        const storage::hard_state& identity);

[[nodiscard]] broker::replica_settings replica_settings_of(const config::node_config& config,
                                                           const storage::hard_state& identity);

[[nodiscard]] commit_log_settings log_settings_of(const config::node_config& config);

// How sends become entries; `host` is where clients reach this node.
[[nodiscard]] broker::intake_settings intake_of(const config::node_config& config,
                                                const protocol::ipv4_host& host);

// Whose data this is must fit who the config says this node works with. The error says what to do.
result<void> check_group(const config::node_config& config, const booted_replica& booted);

} // namespace holdfast::actors
