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
};

struct cluster_standing {
    consensus::role role = consensus::role::follower;
    bool is_member = true;
    term_number term;
    std::string leader; // a node's name; empty = unknown
    std::vector<consensus::member> members;
    std::map<std::string, follower_standing> followers; // of a leader
};

class cluster_view {
  public:
    void publish(cluster_standing standing) {
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

    // Where clients reach a node of the group: "10.0.0.1:10911".
    void set_address(const std::string& node, std::string address) {
        const std::lock_guard lock{mutex_};
        addresses_[node] = std::move(address);
    }
    [[nodiscard]] std::map<std::string, std::string> addresses() const {
        const std::lock_guard lock{mutex_};
        return addresses_;
    }

  private:
    mutable std::mutex mutex_;
    cluster_standing standing_;
    std::map<std::string, std::string> addresses_;
};

} // namespace holdfast::actors
