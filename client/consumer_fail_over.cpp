// push_consumer::engine: when a leader is gone: asks for the next one, registers with it, and goes on there.
#include "client/consumer_engine.hpp"
#include "client/retry_policy.hpp"

namespace holdfast::client {

namespace {

// A leader that is lost so much later is another case, and the first question goes at once again.
constexpr std::chrono::seconds search_is_over{3};
// How long a last word about a queue looks for a leader. Should it find none, messages come again.
constexpr std::chrono::seconds last_word_patience{3};

} // namespace

struct push_consumer::engine::last_word {
    placed_queue place;
    question put;
    std::function<bool()> is_wanted;
    call_handler done;
    std::chrono::steady_clock::time_point give_up;
    unsigned tries = 0;
};

void push_consumer::engine::tell_leader(const placed_queue& place, question put,
                                        std::function<bool()> is_wanted, call_handler done) {
    say(std::make_shared<last_word>(last_word{place, std::move(put), std::move(is_wanted), std::move(done),
                                              std::chrono::steady_clock::now() + last_word_patience}));
}

void push_consumer::engine::say(const std::shared_ptr<last_word>& word) {
    word->put(*word->place.broker, [this, word](const call_outcome& outcome) {
        const auto pause = leader_search_pause(word->tries++);
        const bool in_time = std::chrono::steady_clock::now() + pause < word->give_up;
        if (!is_fail_over(outcome) || !in_time || !word->is_wanted())
            return word->done(outcome);
        const std::string& topic = word->place.id.topic;
        leader_lost(topic);
        runtime_.suspect_route(topic); // also while we shut down
        runtime_.after(pause, [this, word] {
            const route_ptr route = runtime_.routes().find(word->place.id.topic);
            if (route != nullptr)
                if (auto leader = node_of(*route, word->place.id.broker_name, 0, runtime_.lookup()))
                    word->place.broker = std::move(leader);
            say(word);
        });
    });
}

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

// Asks until somebody leads, where suspect_routes_to() asks once.
void push_consumer::engine::broker_lost(const connection& broker) {
    std::set<std::string> topics;
    for (const auto& [id, puller] : pullers_)
        if (puller->place().broker.get() == &broker)
            topics.insert(id.topic);
    for (const std::string& topic : topics)
        leader_lost(topic);
    runtime_.suspect_routes_to(broker);
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
        if (!puller->move_to(leader))
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
