// Three nodes of one replica group as real processes, reached by each other through links.
#pragma once

#include "protocol/cluster_status.hpp"
#include "tests/chaos/links.hpp"
#include "tests/support/broker_process.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::chaos {

class node_group {
  public:
    // `settings` of all nodes. None runs yet.
    explicit node_group(std::vector<std::string> settings);

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

    [[nodiscard]] links& network() { return links_; }
    [[nodiscard]] std::uint16_t cluster_port(std::size_t node) const { return cluster_ports_[node]; }
    // As clients are told: "host:port;host:port;host:port".
    [[nodiscard]] std::string name_servers() const;

    [[nodiscard]] std::optional<protocol::cluster_status> status(std::size_t node) const;
    // The leader of the latest term among those that answer.
    [[nodiscard]] std::optional<std::size_t> leader() const;
    // The leader's broker port; 0 when there is none.
    [[nodiscard]] std::uint16_t leader_port() const;

    // All three are voters, are heard by the leader and have at most `lag` bytes to catch up. What is missing
    // when that is not so in time; empty = nothing.
    [[nodiscard]] std::string wait_until_whole(std::uint64_t lag, std::chrono::milliseconds patience) const;

    // What the processes that run, and those before them, said.
    [[nodiscard]] std::string logs() const;

    static std::string name_of(std::size_t node) { return std::string(1, static_cast<char>('a' + node)); }

  private:
    [[nodiscard]] std::string missing(std::uint64_t lag) const;
    void keep_log(std::size_t node);

    const std::vector<std::string> settings_;
    testing::temporary_directory data_;
    const std::array<std::uint16_t, nodes> cluster_ports_{free_port(), free_port(), free_port()};
    const std::array<std::uint16_t, nodes> broker_ports_{free_port(), free_port(), free_port()};
    const std::array<std::uint16_t, nodes> name_ports_{free_port(), free_port(), free_port()};
    links links_{cluster_ports_};
    std::array<std::string, nodes> old_logs_;
    std::array<std::optional<testing::broker_process>, nodes> processes_;
};

} // namespace holdfast::chaos
