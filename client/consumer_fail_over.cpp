// push_consumer::engine: when a leader is gone: asks for the next one, registers with it, and goes on there.
#include "client/consumer_engine.hpp"
#include "client/retry_policy.hpp"

namespace holdfast::client {

namespace {

// A leader that is lost so much later is another case, and the first question goes at once again.
constexpr std::chrono::seconds search_is_over{3};

} // namespace

void push_consumer::engine::leader_lost(const std::string& topic) {
    leader_search& search = searches_[topic];
    if (stopping_ || search.under_way)
        return;
    if (std::chrono::steady_clock::now() - search.last > search_is_over)
        search.questions = 0;
    search.under_way = true;
    const unsigned before = search.questions++;
    if (before == 0)
        return ask_for_leader(topic);
    runtime_.after(leader_search_pause(before - 1), [this, topic] { ask_for_leader(topic); });
}

void push_consumer::engine::ask_for_leader(const std::string& topic) {
    runtime_.doubt_route(topic, [this, topic](const result<route_ptr>& route) {
        leader_search& search = searches_[topic];
        search.under_way = false;
        search.last = std::chrono::steady_clock::now();
        if (stopping_)
            return;
        if (route)
            return follow(topic, **route);
        if (route.failure().code != errc::not_found)
            leader_lost(topic);
    });
}

void push_consumer::engine::route_changed(const std::string& topic) {
    const route_ptr route = runtime_.routes().find(topic);
    if (!registered_ || route == nullptr)
        return;
    for (const auto& [id, puller] : pullers_)
        if (id.topic == topic &&
            node_of(*route, id.broker_name, 0, runtime_.lookup()) != puller->place().broker)
            return follow(topic, *route);
    rebalance(topic);
}

// The queues we have stay ours; the members are asked about later, when the others are there, too.
void push_consumer::engine::follow(const std::string& topic, const known_route& route) {
    std::set<std::shared_ptr<connection>> leaders;
    bool all_lead = true;
    for (const auto& [id, puller] : pullers_) {
        if (id.topic != topic)
            continue;
        if (const auto leader = node_of(route, id.broker_name, 0, runtime_.lookup()))
            leaders.insert(leader);
        else
            all_lead = false;
    }
    for (const auto& leader : leaders)
        enter(topic, leader);
    if (!all_lead)
        leader_lost(topic);
}

// A broker takes locks and pulls from members of the group only.
void push_consumer::engine::enter(const std::string& topic, const std::shared_ptr<connection>& leader) {
    if (stopping_ || !entering_.emplace(topic, leader).second)
        return;
    runtime_.register_with(*leader, [this, topic, leader](bool registered) {
        entering_.erase({topic, leader});
        if (stopping_)
            return;
        if (registered)
            return entered(topic, leader);
        leader_lost(topic);
    });
}

void push_consumer::engine::entered(const std::string& topic, const std::shared_ptr<connection>& leader) {
    const route_ptr route = runtime_.routes().find(topic);
    if (route == nullptr)
        return;
    entered_at_ = std::chrono::steady_clock::now();
    std::vector<message_queue> to_lock;
    for (const auto& [id, puller] : pullers_) {
        if (id.topic != topic || node_of(*route, id.broker_name, 0, runtime_.lookup()) != leader)
            continue;
        puller->move_to(leader);
        puller->go_on();
        if (!unlocking_.contains(id))
            to_lock.push_back(id);
    }
    if (uses_locks() && !to_lock.empty())
        ask_for_locks(*leader, to_lock);
    rebalance_soon();
}

// A new leader hears of the members one after the other. Whoever divided the queues at once would take those
// of members that are on their way.
void push_consumer::engine::members_changed() {
    if (entered_at_ && std::chrono::steady_clock::now() - *entered_at_ < options_.pull_error_delay)
        return rebalance_soon();
    rebalance_all();
}

} // namespace holdfast::client
