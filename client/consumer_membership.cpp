// push_consumer::engine: the group's side of it: heartbeat, members, who has which queue (protocol reference
// 3.5, 4, 6.3).
#include "client/allocation.hpp"
#include "client/consumer_engine.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/names.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>

namespace holdfast::client {

namespace {

using protocol::request_code;
using protocol::response_code;

protocol::consume_from to_wire(consume_from from) {
    switch (from) {
    case consume_from::last:
        return protocol::consume_from::last_offset;
    case consume_from::first:
        return protocol::consume_from::first_offset;
    case consume_from::time:
        return protocol::consume_from::timestamp;
    }
    return protocol::consume_from::last_offset;
}

} // namespace

std::string push_consumer::engine::heartbeat_body() const {
    protocol::consumer_data group;
    group.group = options_.group;
    group.type = protocol::consume_type::passively;
    group.model = options_.model == message_model::clustering ? protocol::message_model::clustering
                                                              : protocol::message_model::broadcasting;
    group.from = to_wire(options_.from);
    {
        const std::lock_guard lock{mutex_};
        if (state_ != state::running)
            return {};
        for (const auto& [topic, wanted] : subscriptions_) {
            protocol::subscription_data data;
            data.topic = topic;
            data.expression = wanted->expression;
            data.version = wanted->version;
            data.tags = wanted->filter.tags();
            data.hashes = wanted->filter.hashes();
            group.subscriptions.push_back(std::move(data));
        }
    }
    return protocol::encode_heartbeat(
        {.client_id = runtime_.client_id(), .producer_groups = {}, .consumers = {std::move(group)}});
}

bool push_consumer::engine::broker_asks(const answer& request) {
    switch (request.command().request()) {
    case request_code::notify_consumer_ids_changed:
        if (registered_)
            members_changed();
        return true;
    case request_code::reset_consumer_client_offset:
        reset_offsets(request);
        return true;
    default:
        return false;
    }
}

void push_consumer::engine::reset_offsets(const answer& request) {
    const auto header = protocol::decode_header<protocol::reset_client_offset_request>(request.command());
    if (!header || header->group != options_.group || stopping_)
        return;
    const auto table = protocol::decode_offset_table(request.command().body());
    if (!table)
        return trouble({table.failure().code,
                        "the broker's order to reset offsets can't be read: " + table.failure().message});
    for (const auto& [queue, offset] : *table) {
        const message_queue id{queue.topic, queue.broker_name,
                               queue_number{static_cast<std::uint32_t>(queue.queue_id)}};
        if (const auto held = pullers_.find(id); held != pullers_.end() && queue.queue_id >= 0)
            held->second->reset_to(offset);
    }
}

void push_consumer::engine::rebalance_all() {
    std::vector<std::string> topics;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [topic, wanted] : subscriptions_)
            topics.push_back(topic);
    }
    for (const std::string& topic : topics)
        rebalance(topic);
}

void push_consumer::engine::rebalance_soon() {
    if (std::exchange(rebalance_is_due_, true))
        return;
    runtime_.after(options_.pull_error_delay, [this] {
        rebalance_is_due_ = false;
        rebalance_all();
    });
}

void push_consumer::engine::rebalance(const std::string& topic) {
    if (stopping_)
        return;
    // What is on its way may have been answered before the change that we are to see.
    if (rebalancing_.contains(topic)) {
        rebalance_again_.insert(topic);
        return;
    }
    if (const route_ptr known = runtime_.routes().find(topic)) {
        if (options_.model == message_model::broadcasting)
            return assign(topic, known->readable);
        return ask_members(topic, known);
    }
    rebalancing_.insert(topic);
    runtime_.fetch_route(topic, [this, topic](const result<route_ptr>& route) {
        rebalancing_.erase(topic);
        rebalance_again_.erase(topic);
        if (route)
            return rebalance(topic);
        if (!protocol::is_retry_topic(topic))
            trouble({route.failure().code, "topic " + topic + ": " + route.failure().message});
        rebalance_soon();
    });
}

void push_consumer::engine::ask_members(const std::string& topic, const route_ptr& route) {
    if (route->readable.empty())
        return assign(topic, {});
    // Every broker of the topic knows all members: any will do, best one that can be reached.
    const placed_queue* whom = &route->readable.front();
    for (const placed_queue& each : route->readable)
        if (each.broker->is_open() && !whom->broker->is_open())
            whom = &each;
    rebalancing_.insert(topic);
    const protocol::get_consumer_list_request request{.consumer_group = options_.group};
    ask(*whom->broker, request, {}, options_.client.request_timeout,
        [this, topic, route](const call_outcome& outcome) {
            rebalancing_.erase(topic);
            const bool again = rebalance_again_.erase(topic) != 0;
            if (stopping_)
                return;
            const route_ptr newest = runtime_.routes().find(topic);
            members_known(topic, newest, outcome);
            if (again || newest != route)
                rebalance(topic);
        });
}

void push_consumer::engine::members_known(const std::string& topic, const route_ptr& route,
                                          const call_outcome& outcome) {
    if (outcome.ok()) {
        auto members = protocol::decode_consumer_ids(outcome.reply->command().body());
        if (members && std::find(members->begin(), members->end(), client_id()) != members->end()) {
            std::vector<message_queue> queues;
            for (const placed_queue& each : route->readable)
                queues.push_back(each.id);
            const auto share = allocate_averagely(std::move(queues), std::move(*members), client_id());
            std::vector<placed_queue> mine;
            for (const placed_queue& each : route->readable)
                if (std::binary_search(share.begin(), share.end(), each.id))
                    mine.push_back(each);
            return assign(topic, mine);
        }
    } else if (outcome.code() != static_cast<int>(response_code::system_error)) {
        const error why = to_error(outcome);
        trouble({why.code, "can't learn the members of group " + options_.group + ": " + why.message});
        if (is_fail_over(outcome))
            leader_lost(topic);
        else
            runtime_.suspect_route(topic);
    }
    // Nobody is a member, or we are not (the broker restarted, or our heartbeat is on its way), or it is not
    // known: what we have stays ours until the broker can say better.
    runtime_.send_heartbeats();
    rebalance_soon();
}

void push_consumer::engine::assign(const std::string& topic, const std::vector<placed_queue>& wanted) {
    const auto is_wanted = [&](const message_queue& id) {
        return std::any_of(wanted.begin(), wanted.end(),
                           [&](const placed_queue& each) { return each.id == id; });
    };
    for (auto at = pullers_.begin(); at != pullers_.end();) {
        if (at->first.topic != topic || is_wanted(at->first)) {
            ++at;
            continue;
        }
        const auto lost = at->second;
        if (uses_locks()) {
            leave(*lost);
            ++at;
            continue;
        }
        if (const auto last = lost->drop())
            store_offset(lost->place(), *last);
        committed_.erase(at->first);
        at = pullers_.erase(at);
    }
    std::shared_ptr<const subscription> subscribed;
    {
        const std::lock_guard lock{mutex_};
        subscribed = subscriptions_.at(topic);
    }
    const auto start = old_topics_.contains(topic) ? first_start::by_option : first_start::skips_nothing;
    if (!wanted.empty())
        old_topics_.erase(topic);
    for (const placed_queue& each : wanted) {
        if (const auto held = pullers_.find(each.id); held != pullers_.end()) {
            held->second->move_to(each.broker);
            continue;
        }
        const auto puller = std::make_shared<queue_puller>(*context_, each, subscribed, start);
        pullers_.emplace(each.id, puller);
        puller->start();
    }
    if (uses_locks()) {
        finish_leaving();
        lock_queues(lock_which::missing);
    }
    publish_assignment();
}

} // namespace holdfast::client
