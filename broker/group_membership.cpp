#include "broker/group_membership.hpp"

#include <algorithm>

namespace holdfast::broker {

membership_change group_membership::heard(connection_id from, const std::string& client_id,
                                          const protocol::consumer_data& consumer, timestamp_ms now) {
    membership_change change;
    const auto [member, is_new] = members_.insert_or_assign(from, client_id);
    change.members = is_new;
    last_heard_[from] = now;
    type_ = consumer.type;
    model_ = consumer.model;
    from_ = consumer.from;
    update(consumer.subscriptions, change);
    return change;
}

void group_membership::update(const std::vector<protocol::subscription_data>& subscriptions,
                              membership_change& change) {
    for (const auto& data : subscriptions) {
        const auto known = subscriptions_.find(data.topic);
        if (known != subscriptions_.end() && known->second.data.version >= data.version)
            continue;
        // An expression that can't be read selects everything: clients filter again, and nothing is held
        // back.
        auto filter = protocol::tag_filter::parse(data.expression);
        change.subscriptions = true;
        change.topics = change.topics || known == subscriptions_.end();
        subscriptions_[data.topic] = {data, filter.ok() ? std::move(*filter) : protocol::tag_filter{}};
    }
    const auto dropped = std::erase_if(subscriptions_, [&](const auto& known) {
        return std::none_of(subscriptions.begin(), subscriptions.end(),
                            [&](const auto& data) { return data.topic == known.first; });
    });
    change.subscriptions = change.subscriptions || dropped > 0;
    change.topics = change.topics || dropped > 0;
}

membership_change group_membership::left(connection_id who) {
    membership_change change;
    change.members = members_.erase(who) > 0;
    last_heard_.erase(who);
    // Whoever comes next says anew what it wants, whatever the versions its clock makes: with the old
    // expression it would skip messages for good.
    if (members_.empty())
        subscriptions_.clear();
    return change;
}

std::vector<connection_id> group_membership::expire(timestamp_ms before) {
    std::vector<connection_id> gone;
    for (const auto& [member, heard] : last_heard_)
        if (heard < before)
            gone.push_back(member);
    for (const auto member : gone)
        left(member);
    return gone;
}

} // namespace holdfast::broker
