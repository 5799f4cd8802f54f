// What sessions must know of every consumer group to answer without asking its actor: members and
// subscriptions.
//
// The consumer_group actor publishes an immutable snapshot with every change; sessions read it on their
// threads.
#pragma once

#include "protocol/admin_bodies.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/tags.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::actors {

struct registered_subscription {
    protocol::subscription_data data;
    protocol::tag_filter filter;
};

struct group_snapshot {
    std::vector<protocol::client_connection> members; // one a connection
    std::map<std::string, registered_subscription, std::less<>> subscriptions;
    protocol::consume_type type{};
    protocol::message_model model{};
    protocol::consume_from from{};
};
using group_snapshot_ptr = std::shared_ptr<const group_snapshot>;

class group_registry {
  public:
    // An empty snapshot (no members) removes the group.
    void publish(const std::string& group, group_snapshot_ptr snapshot) {
        const std::lock_guard lock{mutex_};
        if (snapshot->members.empty())
            groups_.erase(group);
        else
            groups_.insert_or_assign(group, std::move(snapshot));
    }
    // nullptr when the group has no member now.
    [[nodiscard]] group_snapshot_ptr find(std::string_view group) const {
        const std::lock_guard lock{mutex_};
        const auto found = groups_.find(group);
        return found == groups_.end() ? nullptr : found->second;
    }
    // The groups that now subscribe to `topic`.
    [[nodiscard]] std::vector<std::string> subscribers_of(std::string_view topic) const {
        const std::lock_guard lock{mutex_};
        std::vector<std::string> found;
        for (const auto& [group, snapshot] : groups_)
            if (snapshot->subscriptions.contains(topic))
                found.push_back(group);
        return found;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, group_snapshot_ptr, std::less<>> groups_;
};

} // namespace holdfast::actors
