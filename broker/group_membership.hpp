// Who is in a consumer group and what it subscribes to (protocol reference 3.5; traps T15, T16, T17).
//
// Plain and deterministic: time comes in with each call. Members are keyed by connection, since one client id
// may have several; they leave with their connection, by their own word, or after a time without a heartbeat.
#pragma once

#include "base/ids.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/tags.hpp"

#include <map>
#include <string>
#include <vector>

namespace holdfast::broker {

struct membership_change {
    bool members = false;       // somebody joined or left: everybody rebalances
    bool subscriptions = false; // of any kind
    bool topics = false;        // the set of topics changed: everybody rebalances

    [[nodiscard]] bool rebalance() const { return members || topics; }
    [[nodiscard]] bool any() const { return members || subscriptions || topics; }
};

class group_membership {
  public:
    struct subscription {
        protocol::subscription_data data;
        protocol::tag_filter filter;
    };

    // A heartbeat of `consumer` over `from`. The set of subscriptions is the group's, not the member's: a
    // topic's is replaced by a newer version, topics that the heartbeat does not name are dropped (T17). They
    // are forgotten with the last member.
    membership_change heard(connection_id from, const std::string& client_id,
                            const protocol::consumer_data& consumer, timestamp_ms now);
    membership_change left(connection_id who);
    // Members not heard of since `before`; they are removed.
    std::vector<connection_id> expire(timestamp_ms before);

    [[nodiscard]] const std::map<connection_id, std::string>& members() const { return members_; }
    [[nodiscard]] const std::map<std::string, subscription, std::less<>>& subscriptions() const {
        return subscriptions_;
    }
    [[nodiscard]] protocol::consume_type type() const { return type_; }
    [[nodiscard]] protocol::message_model model() const { return model_; }
    [[nodiscard]] protocol::consume_from from() const { return from_; }

  private:
    void update(const std::vector<protocol::subscription_data>& subscriptions, membership_change& change);

    std::map<connection_id, std::string> members_; // client ids
    std::map<connection_id, timestamp_ms> last_heard_;
    std::map<std::string, subscription, std::less<>> subscriptions_;
    protocol::consume_type type_{};
    protocol::message_model model_{};
    protocol::consume_from from_{};
};

} // namespace holdfast::broker
