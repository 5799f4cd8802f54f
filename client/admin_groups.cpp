// admin: consumer groups.
#include "client/admin_engine.hpp"
#include "protocol/admin_bodies.hpp"
#include "protocol/names.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>
#include <set>

namespace holdfast::client {

using protocol::response_code;

namespace {

message_queue from_wire(const protocol::message_queue& queue) {
    return {queue.topic, queue.broker_name, queue_number{static_cast<std::uint32_t>(queue.queue_id)}};
}

error unknown(std::string_view group) {
    return {errc::not_found, "consumer group " + std::string{group} +
                                 " does not exist; `holdfast group list` shows those that do"};
}

} // namespace

std::int64_t group_status::behind() const {
    std::int64_t sum = 0;
    for (const auto& each : queues)
        sum += each.behind();
    return sum;
}

result<std::vector<std::string>> admin::groups() {
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    std::set<std::string> names;
    for (leader& broker : *leaders) {
        const auto configs = engine_->body_of<protocol::group_config_table>(
            broker, protocol::get_all_subscription_groups_request{}, protocol::decode_group_configs);
        if (!configs)
            return configs.failure();
        for (const auto& [group, config] : configs->groups)
            names.insert(group);
    }
    return std::vector<std::string>{names.begin(), names.end()};
}

result<group_status> admin::group(std::string_view name) {
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    group_status status;
    bool is_known = false;
    for (leader& broker : *leaders) {
        const auto configs = engine_->body_of<protocol::group_config_table>(
            broker, protocol::get_all_subscription_groups_request{}, protocol::decode_group_configs);
        if (!configs)
            return configs.failure();
        is_known = is_known || configs->groups.contains(std::string{name});
        const auto live = engine_->body_of<protocol::consumer_connections>(
            broker, protocol::get_consumer_connections_request{name}, protocol::decode_consumer_connections,
            {response_code::consumer_not_online});
        if (!live)
            return live.failure();
        for (const auto& member : live->connections) {
            const bool listed =
                std::any_of(status.members.begin(), status.members.end(),
                            [&](const auto& known) { return known.client_id == member.client_id; });
            if (!listed)
                status.members.push_back(
                    {member.client_id, member.address, std::string{protocol::to_string(member.language)}});
        }
        if (!live->connections.empty())
            status.broadcasting = live->model == protocol::message_model::broadcasting;
        for (const auto& [topic, subscription] : live->subscriptions)
            status.subscriptions[topic] = subscription.expression;
        const auto stats = engine_->body_of<protocol::consume_stats>(
            broker, protocol::get_consume_stats_request{name, {}}, protocol::decode_consume_stats);
        if (!stats)
            return stats.failure();
        for (const auto& [queue, progress] : stats->queues)
            status.queues.push_back({from_wire(queue), progress.consumer_offset, progress.broker_offset});
    }
    if (!is_known && status.members.empty() && status.queues.empty())
        return unknown(name);
    return status;
}

result<std::map<message_queue, queue_offset>>
admin::reset_group(std::string_view name, std::string_view topic, const reset_target& to) {
    if (to.offset && !to.queue)
        return error{errc::invalid_argument, "an offset needs the queue that it is meant for"};
    const auto route = engine_->route(topic);
    if (!route)
        return route.failure();
    protocol::reset_offset_request request{
        .topic = topic, .group = name, .timestamp = to.time, .is_forced = true};
    if (to.queue)
        request.queue_id = static_cast<std::int32_t>(to.queue->value());
    if (to.offset)
        request.offset = to.offset->value();
    std::map<message_queue, queue_offset> now;
    std::set<std::shared_ptr<connection>> asked;
    for (const placed_queue& each : (*route)->readable) {
        if ((to.queue && each.id.queue != *to.queue) || !asked.insert(each.broker).second)
            continue;
        // A second time would take back what was consumed, or skip what was sent, in between.
        leader broker = leader::of(each);
        const auto table = engine_->body_of<protocol::queue_offset_table>(
            broker, request, protocol::decode_offset_table, {}, when_unknown::give_up);
        if (!table)
            return error{table.failure().code,
                         "broker " + each.id.broker_name + ": " + table.failure().message};
        for (const auto& [queue, offset] : *table)
            now[from_wire(queue)] = offset;
    }
    if (asked.empty())
        return error{errc::invalid_argument, "topic " + std::string{topic} + " has no queue " +
                                                 std::to_string(to.queue ? to.queue->value() : 0)};
    return now;
}

result<void> admin::clone_group(std::string_view from, std::string_view to, std::string_view topic) {
    if (auto good = protocol::check_group_name(to); !good)
        return good;
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    for (leader& broker : *leaders) {
        // A second time would take `to` back when it has moved on meanwhile.
        const protocol::clone_group_offset_request request{from, to, topic};
        if (const auto done = engine_->order(broker, request, when_unknown::give_up); !done)
            return error{done.failure().code, "broker " + broker.broker_name + ": " + done.failure().message};
    }
    return {};
}

result<void> admin::delete_group(std::string_view name) {
    const auto known = groups();
    if (!known)
        return known.failure();
    if (!std::binary_search(known->begin(), known->end(), name))
        return unknown(name);
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    for (leader& broker : *leaders) {
        const protocol::delete_subscription_group_request request{name, true};
        // A second time would take a group that consumers have made anew.
        if (const auto done = engine_->order(broker, request, when_unknown::give_up); !done)
            return error{done.failure().code, "broker " + broker.broker_name + ": " + done.failure().message};
    }
    return {};
}

} // namespace holdfast::client
