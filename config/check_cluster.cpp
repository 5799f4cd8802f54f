#include "config/check_cluster.hpp"

#include "config/peers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace holdfast::config {

namespace {

// The refusal stands at the first of `keys` that was given.
error refusal(const given_places& places, std::initializer_list<std::string_view> keys,
              const std::string& what) {
    for (const auto key : keys)
        if (const auto found = places.find(key); found != places.end())
            return {errc::invalid_argument, found->second + ": " + what};
    return {errc::invalid_argument, "default values: " + what};
}

bool is_tls(const node_config& values) {
    return !values.cluster_tls_cert.empty();
}

// The first address of the cluster's traffic that other machines can reach; empty when there is none.
std::string address_beyond_this_machine(const node_config& values) {
    if (!is_loopback(values.cluster_bind_address))
        return "clusterBindAddress = " + values.cluster_bind_address;
    for (const auto& each : values.peers)
        if (!is_loopback(each.host))
            return "the peer " + show_peers({each});
    return {};
}

result<void> check_times(const node_config& values, const given_places& places) {
    if (3 * values.heartbeat_interval >= values.election_timeout)
        return refusal(
            places, {"heartbeatInterval", "electionTimeout"},
            fmt::format("heartbeatInterval ({}) must be less than a third of electionTimeout ({}), "
                        "so that one or two lost heartbeats depose no leader",
                        values.heartbeat_interval.count(), values.election_timeout.count()));
    return {};
}

result<void> check_tls(const node_config& values, const given_places& places) {
    const auto given = [](const std::filesystem::path& each) { return each.empty() ? 0 : 1; };
    const int count =
        given(values.cluster_tls_cert) + given(values.cluster_tls_key) + given(values.cluster_tls_ca);
    if (count != 0 && count != 3)
        return refusal(places, {"clusterTlsCert", "clusterTlsKey", "clusterTlsCa"},
                       "clusterTlsCert, clusterTlsKey and clusterTlsCa go together: give all three or none "
                       "(`holdfast cert` makes them)");
    return {};
}

result<void> check_names(const node_config& values, const given_places& places) {
    if (places.find("nodeName") == places.end())
        return refusal(places, {"peers"},
                       "with peers, nodeName must be given: the default, brokerName, is the same on all "
                       "nodes of a group and can't tell them apart");
    for (auto each = values.peers.begin(); each != values.peers.end(); ++each)
        for (auto other = values.peers.begin(); other != each; ++other) {
            if (each->name == other->name)
                return refusal(
                    places, {"peers"},
                    fmt::format("peers names '{}' twice; every node has its own name", each->name));
            if (each->host == other->host && each->port == other->port)
                return refusal(places, {"peers"},
                               fmt::format("peers gives '{}' and '{}' the same address {}:{}", other->name,
                                           each->name, each->host, each->port));
        }
    return {};
}

result<void> check_ports(const node_config& values, const given_places& places) {
    const auto clash = [&](std::uint16_t port) { return port != 0 && port == values.cluster_port; };
    if (clash(values.listen_port) || clash(values.namesrv_port))
        return refusal(places, {"clusterPort", "listenPort", "namesrvPort"},
                       fmt::format("clusterPort must differ from listenPort and namesrvPort, and is {} too",
                                   values.cluster_port));
    return {};
}

// Which of `peers` this node is goes out of it.
result<void> take_out_this_node(node_config& values, const given_places& places) {
    const auto self = std::find_if(values.peers.begin(), values.peers.end(),
                                   [&](const peer_address& each) { return each.name == values.node_name; });
    if (self == values.peers.end())
        return {};
    if (places.find("clusterPort") == places.end())
        values.cluster_port = self->port;
    else if (values.cluster_port != self->port)
        return refusal(places, {"clusterPort"},
                       fmt::format("clusterPort is {}, but peers says that this node, '{}', has port {}; "
                                   "give one of them only, or the same",
                                   values.cluster_port, self->name, self->port));
    values.peers.erase(self);
    return {};
}

result<void> check_size(const node_config& values, const given_places& places,
                        std::vector<std::string>& warnings) {
    const auto nodes = values.peers.size() + 1;
    if (nodes > max_group_nodes)
        return refusal(places, {"peers"},
                       fmt::format("{} nodes (this one, '{}', is none of the {} in peers) are too many; a "
                                   "group has 3, 5 or 7",
                                   nodes, values.node_name, values.peers.size()));
    if (nodes % 2 == 0)
        warnings.push_back(fmt::format(
            "peers: {} nodes (this one is '{}') survive the loss of {}, no more than {} would: a majority of "
            "{} is {}. Take 3, 5 or 7",
            nodes, values.node_name, nodes / 2 - 1, nodes - 1, nodes, nodes / 2 + 1));
    return {};
}

result<void> check_safety(const node_config& values, const std::string& reachable, const given_places& places,
                          std::vector<std::string>& warnings) {
    if (is_tls(values) || reachable.empty())
        return {};
    if (!values.cluster_insecure)
        return refusal(
            places, {"peers", "clusterBindAddress"},
            fmt::format(
                "{} is reached from other machines, and whoever can talk to the cluster port can read "
                "and change every message: give clusterTlsCert, clusterTlsKey and clusterTlsCa "
                "(`holdfast cert` makes them), or say clusterInsecure = true where the network is "
                "closed to everybody else",
                reachable));
    warnings.push_back("clusterInsecure: " + reachable +
                       " is reached without TLS; whoever can talk to the cluster port can read and change "
                       "every message");
    return {};
}

} // namespace

result<void> settle_cluster(node_config& values, const given_places& places,
                            std::vector<std::string>& warnings) {
    if (values.cluster_bind_address.empty())
        values.cluster_bind_address = values.bind_address;
    for (const auto check : {check_times, check_tls})
        if (auto checked = check(values, places); !checked)
            return checked;
    if (values.peers.empty())
        return {};
    if (auto checked = check_names(values, places); !checked)
        return checked;
    const auto reachable = address_beyond_this_machine(values); // this node's own address counts too
    if (auto taken = take_out_this_node(values, places); !taken)
        return taken;
    if (values.peers.empty())
        return {};
    if (auto checked = check_ports(values, places); !checked)
        return checked;
    if (auto checked = check_size(values, places, warnings); !checked)
        return checked;
    return check_safety(values, reachable, places, warnings);
}

} // namespace holdfast::config
