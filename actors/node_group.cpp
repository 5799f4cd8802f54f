#include "actors/node_group.hpp"

#include "actors/limits.hpp"

#include <algorithm>
#include <random>
#include <string>

namespace holdfast::actors {

cluster_settings links_of(const config::node_config& config, const storage::hard_state& identity) {
    cluster_settings settings;
    settings.group = config.broker_name;
    settings.cluster = config.cluster_name;
    settings.name = config.node_name;
    settings.incarnation = storage::to_string(identity.id);
    settings.bind_address = config.cluster_bind_address;
    settings.port = config.cluster_port;
    for (const auto& peer : config.peers)
        settings.peers.push_back({peer.name, peer.host, peer.port});
    if (!config.cluster_tls_cert.empty())
        settings.tls = cluster_tls{config.cluster_tls_cert, config.cluster_tls_key, config.cluster_tls_ca};
    return settings;
}

broker::replica_settings replica_settings_of(const config::node_config& config,
                                             const storage::hard_state& identity) {
    broker::replica_settings settings;
    settings.raft.self = {config.node_name, storage::to_string(identity.id)};
    for (const auto& peer : config.peers)
        settings.raft.peers.push_back(peer.name);
    settings.raft.heartbeat_interval = config.heartbeat_interval;
    settings.raft.election_timeout = config.election_timeout;
    settings.raft.window_bytes = config.replication_window_bytes;
    settings.raft.catch_up_bytes_per_s = config.catch_up_bytes_per_s;
    settings.raft.seed = std::random_device{}();
    if (config.flush == config::flush_type::sync)
        settings.flushes_at_once = storage::log_writer::lanes;
    settings.max_entry_size =
        std::min<std::uint64_t>(config.segment_bytes, storage::max_entry_length) - storage::entry_alignment;
    return settings;
}

broker::intake_settings intake_of(const config::node_config& config, const protocol::ipv4_host& host) {
    return {config.cluster_name,
            config.max_message_bytes,
            std::min<std::uint64_t>(config.segment_bytes, storage::max_entry_length) -
                storage::entry_alignment,
            host,
            {config.delay_levels, limits::longest_delay},
            config.reject_transactions};
}

commit_log_settings log_settings_of(const config::node_config& config) {
    commit_log_settings settings;
    if (!config.peers.empty())
        settings.raft_interval = config.heartbeat_interval / 3;
    settings.segment_bytes = config.segment_bytes;
    settings.is_sync = config.flush == config::flush_type::sync;
    settings.checkpoint_interval = config.checkpoint_interval;
    settings.checkpoint_bytes = config.checkpoint_bytes;
    settings.transaction_timeout = config.transaction_timeout;
    return settings;
}

result<void> check_group(const config::node_config& config, const booted_replica& booted) {
    const auto& members = booted.state.members();
    const auto refused = [&](const std::string& why) {
        return error{errc::invalid_argument, "the data in " + config.store_path.string() + " " + why};
    };
    if (!config.peers.empty() && booted.hard_state.node_name != config.node_name)
        return refused("is that of the node " + booted.hard_state.node_name + ", not of " + config.node_name +
                       ": give each node a storePathRootDir of its own");
    if (config.peers.empty() && !members.empty())
        return refused("is that of a node of a group: say in `peers` which nodes it belongs to");
    if (!config.peers.empty() && members.empty() && booted.state.runs().last() > term_number{0})
        return refused("is that of a node that was alone: a group begins with empty nodes; send its messages "
                       "there with a client, or run it without `peers`");
    for (const auto& member : members) {
        const bool is_known =
            member.name == config.node_name ||
            std::any_of(config.peers.begin(), config.peers.end(),
                        [&](const config::peer_address& peer) { return peer.name == member.name; });
        if (!is_known)
            return refused("belongs to a group with a node " + member.name + ", which `peers` does not name");
    }
    return {};
}

} // namespace holdfast::actors
