#include "tests/chaos/node_group.hpp"

#include "tests/support/own_namespaces.hpp"

#include <algorithm>
#include <csignal>
#include <thread>

namespace holdfast::chaos {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

node_group::node_group(std::vector<std::string> settings, std::unique_ptr<private_network> apart)
    : settings_(std::move(settings)),
      apart_(std::move(apart)),
      links_(apart_ ? nullptr : std::make_unique<links>(cluster_ports_)) {}

std::filesystem::path node_group::data(std::size_t node) const {
    return data_.path() / name_of(node);
}

std::string node_group::host(std::size_t node) const {
    return apart_ ? private_network::address(node) : "127.0.0.1";
}

std::string node_group::peers_of(std::size_t node) const {
    std::string peers;
    for (std::size_t to = 0; to < nodes; ++to)
        peers += (to == 0 ? "" : ",") + name_of(to) + "@" + host(to) + ":" +
                 std::to_string(apart_ ? cluster_ports_[to] : links_->port(node, to));
    return peers;
}

std::string node_group::encrypt() {
    const std::string cert = std::string{HOLDFAST_BINARY} + " cert ";
    const auto authority = certificates() + "/authority";
    auto problem = testing::run_script(cert + "ca --out " + authority + " > /dev/null");
    for (std::size_t node = 0; node < nodes && problem.empty(); ++node)
        problem = testing::run_script(cert + "node " + name_of(node) + " --host " + host(node) + " --ca " +
                                      authority + " --out " + certificates() + "/" + name_of(node) +
                                      " > /dev/null");
    encrypted_ = problem.empty();
    return problem;
}

void node_group::start(std::size_t node, const std::vector<std::string>& more) {
    testing::broker_options options{.data = data(node), .settings = settings_, .start_timeout = 0ms};
    for (const auto& one : {"--nodeName=" + name_of(node), "--peers=" + peers_of(node),
                            "--clusterPort=" + std::to_string(cluster_ports_[node]),
                            "--listenPort=" + std::to_string(broker_ports_[node]),
                            "--namesrvPort=" + std::to_string(name_ports_[node])})
        options.settings.push_back(one);
    if (apart_) {
        options.command = apart_->command_at(node);
        options.settings.push_back("--bindAddress=" + host(node));
        if (!encrypted_)
            options.settings.emplace_back("--clusterInsecure=true");
    }
    if (encrypted_) {
        const auto own = certificates() + "/" + name_of(node) + "/";
        for (const auto& one :
             {"--clusterTlsCert=" + own + name_of(node) + ".crt",
              "--clusterTlsKey=" + own + name_of(node) + ".key", "--clusterTlsCa=" + own + "ca.crt"})
            options.settings.push_back(one);
    }
    options.settings.insert(options.settings.end(), more.begin(), more.end());
    keep_log(node);
    processes_[node].reset();
    processes_[node].emplace(options);
}

void node_group::cut(std::size_t from, std::size_t to) {
    if (apart_)
        apart_->cut(from, to);
    else
        links_->cut(from, to);
}

void node_group::heal() {
    if (apart_)
        apart_->heal();
    else
        links_->heal();
}

void node_group::keep_log(std::size_t node) {
    constexpr std::size_t most = 40'000;
    if (!processes_[node])
        return;
    auto& old = old_logs_[node];
    old += processes_[node]->log() + "---- the next process\n";
    if (old.size() > most)
        old.erase(0, old.size() - most);
}

void node_group::kill(std::size_t node) {
    if (processes_[node])
        processes_[node]->kill();
}

std::string node_group::stop(std::size_t node) {
    const int status = processes_[node]->terminate(20s);
    return status == 0
               ? std::string{}
               : "node " + name_of(node) + " ended with status " + std::to_string(status) + " on SIGTERM";
}

void node_group::freeze(std::size_t node) {
    ::kill(pid(node), SIGSTOP);
}

void node_group::thaw(std::size_t node) {
    if (running(node))
        ::kill(pid(node), SIGCONT);
}

std::string node_group::name_servers() const {
    std::string all;
    for (std::size_t node = 0; node < nodes; ++node)
        all += (all.empty() ? "" : ";") + host(node) + ":" + std::to_string(name_ports_[node]);
    return all;
}

std::optional<protocol::cluster_status> node_group::status(std::size_t node) const {
    crash::wire_client client{{host(node), name_ports_[node]}, 500ms};
    const auto answer = client.ask(protocol::cluster_status_request{});
    if (!answer || !answer->ok())
        return std::nullopt;
    auto told = protocol::decode_cluster_status(answer->command.body());
    return told.ok() ? std::optional{std::move(*told)} : std::nullopt;
}

std::optional<std::size_t> node_group::leader() const {
    std::optional<std::size_t> found;
    term_number term{};
    for (std::size_t node = 0; node < nodes; ++node)
        if (const auto told = status(node);
            told && told->role == protocol::replica_role::leader && (!found || told->term > term)) {
            found = node;
            term = told->term;
        }
    return found;
}

crash::server_address node_group::leader_broker() const {
    const auto node = leader();
    return {host(node.value_or(0)), node ? broker_ports_[*node] : std::uint16_t{0}};
}

std::string node_group::missing(std::uint64_t lag) const {
    const auto node = leader();
    const auto told = node ? status(*node) : std::nullopt;
    if (!told || told->role != protocol::replica_role::leader)
        return "there is no leader";
    std::size_t voters = 0;
    for (const auto& member : told->members)
        voters += member.voter ? 1 : 0;
    if (voters != nodes || told->members.size() != nodes)
        return std::to_string(voters) + " of " + std::to_string(told->members.size()) + " members vote";
    for (std::size_t other = 0; other < nodes; ++other) {
        if (other == *node)
            continue;
        const auto seen =
            std::find_if(told->followers.begin(), told->followers.end(),
                         [&](const protocol::follower_status& one) { return one.name == name_of(other); });
        if (seen == told->followers.end() || seen->last_heard_ms < 0 || seen->last_heard_ms > 2'000)
            return "the leader " + name_of(*node) + " does not hear " + name_of(other);
        // What the leader heard may be old: a node that was just killed does not answer.
        const auto own = status(other);
        if (!own || own->term != told->term)
            return name_of(other) + " does not answer for the leader's term";
        if (own->watermarks.applied.value() + lag < told->watermarks.committed.value())
            return name_of(other) + " has applied " + std::to_string(own->watermarks.applied.value()) +
                   " of " + std::to_string(told->watermarks.committed.value());
        if (seen->lag_bytes > lag)
            return name_of(other) + " is " + std::to_string(seen->lag_bytes) + " bytes behind " +
                   name_of(*node) + " (" + seen->state + ")";
    }
    return {};
}

std::string node_group::wait_until_whole(std::uint64_t lag, std::chrono::milliseconds patience) const {
    const auto deadline = clock::now() + patience;
    for (;;) {
        auto problem = missing(lag);
        if (problem.empty() || clock::now() > deadline)
            return problem.empty() ? problem : "the group is not whole again: " + problem;
        std::this_thread::sleep_for(20ms);
    }
}

std::string node_group::logs() const {
    std::string all;
    for (std::size_t node = 0; node < nodes; ++node)
        all += "==== log of " + name_of(node) + ":\n" + old_logs_[node] +
               (processes_[node] ? processes_[node]->log() : std::string{});
    return all;
}

} // namespace holdfast::chaos
