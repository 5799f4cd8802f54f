#include "actors/read_replicas.hpp"

#include <algorithm>
#include <vector>

namespace holdfast::actors {

std::int64_t follower_id(const config::node_config& config, const std::string& node) {
    std::vector<std::string> names{config.node_name};
    for (const auto& peer : config.peers)
        names.push_back(peer.name);
    std::sort(names.begin(), names.end());
    const auto found = std::find(names.begin(), names.end(), node);
    return found == names.end() ? 0 : found - names.begin() + 1;
}

std::map<std::int64_t, std::string> broker_addresses(const config::node_config& config,
                                                     const cluster_view& cluster) {
    const auto leader = cluster.leader();
    std::map<std::int64_t, std::string> addresses;
    for (const auto& [name, node] : cluster.nodes()) {
        if (name == leader)
            addresses[0] = node.address;
        else if (node.is_reached && (node.serves_reads || !config.follower_reads))
            addresses[follower_id(config, name)] = node.address;
    }
    return addresses;
}

bool is_cold(const config::node_config& config, log_position applied, log_position position) {
    return applied > position && applied - position > config.entry_cache_bytes;
}

std::string choose_reader(const config::node_config& config, const cluster_standing& standing,
                          const std::map<std::string, group_node>& nodes, log_position needed,
                          std::size_t spread) {
    std::vector<std::string> able;
    for (const auto& [name, follower] : standing.followers) {
        const auto node = nodes.find(name);
        if (node != nodes.end() && node->second.is_reached && node->second.serves_reads &&
            follower.is_member && follower.is_streaming && follower.matched > needed &&
            follower.silent_for < config.election_timeout)
            able.push_back(name);
    }
    return able.empty() ? std::string{} : able[spread % able.size()];
}

std::int64_t suggested_broker(const session_environment& environment, queue_number queue,
                              log_position position) {
    const auto& config = *environment.config;
    if (!config.follower_reads || environment.cluster == nullptr ||
        !is_cold(config, environment.view->marks().applied, position))
        return 0;
    if (!environment.health->leads())
        return follower_id(config, config.node_name);
    const auto reader = choose_reader(config, environment.cluster->now(), environment.cluster->nodes(),
                                      position, queue.value());
    return reader.empty() ? 0 : follower_id(config, reader);
}

} // namespace holdfast::actors
