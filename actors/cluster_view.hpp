// How this node sees its group: role, leader, where the others are. Written by the commit log, read by
// whoever answers clients; any thread.
#pragma once

#include "consensus/raft.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast::actors {

struct follower_standing {
    log_position matched; // flushed there and the same as here
    std::chrono::milliseconds silent_for{0};
    bool is_streaming = false;
    bool is_member = false; // one of the members, and not another node under its name
};

struct cluster_standing {
    consensus::role role = consensus::role::follower;
    bool is_member = true;
    term_number term;
    std::string leader;                          // a node's name; empty = unknown,
    std::chrono::milliseconds leaderless_for{0}; // for so long
    // It does not have yet what was committed some time ago, has had no leader to tell it what that is, or
    // led itself and knows of no other leader: what it does not know may be there.
    bool is_lagging = false;
    std::vector<consensus::member> members;
    std::map<std::string, follower_standing> followers; // of a leader
    std::chrono::steady_clock::time_point as_of;        // set by publish
};

// What a node of the group says of itself.
struct group_node {
    std::string address;       // where clients reach it: "10.0.0.1:10911"
    bool serves_reads = false; // while it follows
    bool is_full = false;      // its disk
    bool is_reached = true;    // now
};

class cluster_view {
  public:
    using clock = std::chrono::steady_clock;

    void publish(cluster_standing standing, clock::time_point as_of = clock::now()) {
        standing.as_of = as_of;
        const std::lock_guard lock{mutex_};
        standing_ = std::move(standing);
    }
    [[nodiscard]] cluster_standing now() const {
        const std::lock_guard lock{mutex_};
        return standing_;
    }
    [[nodiscard]] std::string leader() const {
        const std::lock_guard lock{mutex_};
        return standing_.leader;
    }

    // This node, or one that was reached, says this of itself.
    void found(const std::string& node, group_node said) {
        const std::lock_guard lock{mutex_};
        nodes_[node] = std::move(said);
        nodes_[node].is_reached = true;
    }
    void lost(const std::string& node) {
        const std::lock_guard lock{mutex_};
        if (const auto known = nodes_.find(node); known != nodes_.end())
            known->second.is_reached = false;
    }
    // All that were ever found, by name.
    [[nodiscard]] std::map<std::string, group_node> nodes() const {
        const std::lock_guard lock{mutex_};
        return nodes_;
    }

  private:
    mutable std::mutex mutex_;
    cluster_standing standing_;
    std::map<std::string, group_node> nodes_;
};

} // namespace holdfast::actors
