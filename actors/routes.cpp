#include "actors/routes.hpp"

#include "actors/read_replicas.hpp"
#include "protocol/names.hpp"

#include <algorithm>

namespace holdfast::actors {
namespace {

// One broker to clients, however many nodes it has: the leader under id 0, which takes sends, the others
// behind it. Without a leader there is no id 0, and clients ask again.
protocol::broker_data this_broker(const session_environment& environment) {
    const auto& config = *environment.config;
    protocol::broker_data broker{config.cluster_name, config.broker_name, {}};
    if (environment.cluster == nullptr) {
        broker.addresses[config.broker_id] = environment.broker_address;
        return broker;
    }
    broker.addresses = broker_addresses(config, *environment.cluster);
    return broker;
}

protocol::replica_role role_of(const cluster_standing& standing) {
    if (!standing.is_member)
        return protocol::replica_role::learner;
    switch (standing.role) {
    case consensus::role::leader:
        return protocol::replica_role::leader;
    case consensus::role::candidate:
        return protocol::replica_role::candidate;
    case consensus::role::follower:
        break;
    }
    return protocol::replica_role::follower;
}

void add_group(const cluster_view& cluster, protocol::cluster_status& status) {
    const auto standing = cluster.now();
    const auto nodes = cluster.nodes();
    status.role = role_of(standing);
    status.term = standing.term;
    status.leader = standing.leader;
    for (const auto& member : standing.members) {
        const auto node = nodes.find(member.name);
        status.members.push_back({member.name, member.incarnation, true,
                                  node == nodes.end() ? std::string{} : node->second.address});
    }
    for (const auto& [name, follower] : standing.followers)
        status.followers.push_back(
            {name, follower.matched,
             status.watermarks.appended - std::min(status.watermarks.appended, follower.matched),
             follower.silent_for.count(), follower.is_streaming ? "replicating" : "probing"});
}

} // namespace

std::optional<protocol::topic_route> route_of(const session_environment& environment,
                                              std::string_view topic) {
    const auto& config = *environment.config;
    protocol::queue_data queues;
    queues.broker_name = config.broker_name;
    if (const auto found = environment.view->find_topic(topic)) {
        queues.read_queue_count = static_cast<std::int32_t>(found->read_queues);
        queues.write_queue_count = static_cast<std::int32_t>(found->write_queues);
        queues.permission = static_cast<std::int32_t>(found->permissions & config.broker_permission);
        queues.sys_flag = static_cast<std::int32_t>(found->sys_flag);
    } else if (topic == protocol::auto_create_topic && config.auto_create_topics) {
        queues.read_queue_count = queues.write_queue_count =
            static_cast<std::int32_t>(config.default_topic_queues);
        queues.permission = protocol::permission::read_write | protocol::permission::inherit;
    } else {
        return std::nullopt;
    }
    return protocol::topic_route{{}, {queues}, {this_broker(environment)}};
}

protocol::cluster_info cluster_of(const session_environment& environment) {
    const auto& config = *environment.config;
    protocol::cluster_info info;
    info.brokers[config.broker_name] = this_broker(environment);
    info.clusters[config.cluster_name] = {config.broker_name};
    return info;
}

protocol::cluster_status status_of(const session_environment& environment) {
    const auto& config = *environment.config;
    const auto marks = environment.view->marks();
    protocol::cluster_status status;
    status.group = config.broker_name;
    status.node = config.node_name;
    status.watermarks = {marks.first, marks.appended, marks.flushed, marks.committed, marks.applied};
    status.messages_got = environment.counters->messages_got.load(std::memory_order_relaxed);
    if (environment.cluster != nullptr) {
        add_group(*environment.cluster, status);
        return status;
    }
    status.role = protocol::replica_role::leader;
    status.leader = config.node_name;
    status.members.push_back({config.node_name, "", true, environment.broker_address});
    return status;
}

} // namespace holdfast::actors
