// Three nodes of one replica group as real processes, on loopback, where they reach each other through links,
// or each at its place of a private network.
#pragma once

#include "protocol/cluster_status.hpp"
#include "tests/chaos/links.hpp"
#include "tests/chaos/private_network.hpp"
#include "tests/crash/wire_client.hpp"
#include "tests/support/broker_process.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::chaos {

class node_group {
  public:
    // `settings` of all nodes. None runs yet. Without a network of their own they are on loopback.
    explicit node_group(std::vector<std::string> settings, std::unique_ptr<private_network> apart = nullptr);

    // Makes certificates: those that are started from now on speak TLS among themselves. What went wrong;
    // empty = nothing.
    [[nodiscard]] std::string encrypt();

    // Does not wait until it is ready. From the main thread.
    void start(std::size_t node, const std::vector<std::string>& more = {});
    void kill(std::size_t node);
    // SIGTERM. What went wrong; empty = nothing.
    std::string stop(std::size_t node);
    void freeze(std::size_t node);
    void thaw(std::size_t node);
    [[nodiscard]] bool running(std::size_t node) { return processes_[node] && processes_[node]->running(); }
    [[nodiscard]] pid_t pid(std::size_t node) const { return processes_[node]->pid(); }
    [[nodiscard]] std::filesystem::path data(std::size_t node) const;

    // The links on loopback; not with a private network.
    [[nodiscard]] links& network() { return *links_; }
    // What `from` says does not reach `to`, on either kind of network.
    void cut(std::size_t from, std::size_t to);
    void heal();
    // Whether clients can be cut off too, as private_network::clients.
    [[nodiscard]] bool is_apart() const { return apart_ != nullptr; }

    [[nodiscard]] std::uint16_t cluster_port(std::size_t node) const { return cluster_ports_[node]; }
    // As clients are told: "host:port;host:port;host:port".
    [[nodiscard]] std::string name_servers() const;

    [[nodiscard]] std::optional<protocol::cluster_status> status(std::size_t node) const;
    // The leader of the latest term among those that answer.
    [[nodiscard]] std::optional<std::size_t> leader() const;
    // The leader's broker; port 0 when there is none.
    [[nodiscard]] crash::server_address leader_broker() const;

    // All three are voters, are heard by the leader and have at most `lag` bytes to catch up. What is missing
    // when that is not so in time; empty = nothing.
    [[nodiscard]] std::string wait_until_whole(std::uint64_t lag, std::chrono::milliseconds patience) const;

    // What the processes that run, and those before them, said.
    [[nodiscard]] std::string logs() const;
    // What the node's process said, that runs now or was the last one.
    [[nodiscard]] std::string log_of(std::size_t node) const { return processes_[node]->log(); }

    static std::string name_of(std::size_t node) { return std::string(1, static_cast<char>('a' + node)); }

  private:
    [[nodiscard]] std::string missing(std::uint64_t lag) const;
    [[nodiscard]] std::string host(std::size_t node) const;
    [[nodiscard]] std::string peers_of(std::size_t node) const;
    [[nodiscard]] std::string certificates() const { return (data_.path() / "certificates").string(); }
    void keep_log(std::size_t node);

    const std::vector<std::string> settings_;
    const std::unique_ptr<private_network> apart_;
    bool encrypted_ = false;
    testing::temporary_directory data_;
    const std::array<std::uint16_t, nodes> cluster_ports_{free_port(), free_port(), free_port()};
    const std::array<std::uint16_t, nodes> broker_ports_{free_port(), free_port(), free_port()};
    const std::array<std::uint16_t, nodes> name_ports_{free_port(), free_port(), free_port()};
    const std::unique_ptr<links> links_;
    std::array<std::string, nodes> old_logs_;
    std::array<std::optional<testing::broker_process>, nodes> processes_;
};

} // namespace holdfast::chaos
