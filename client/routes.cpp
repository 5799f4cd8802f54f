#include "client/routes.hpp"

#include "protocol/codes.hpp"
#include "protocol/limits.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace holdfast::client {

namespace {

// Broker name to the address of its lowest id; `leader_only` wants id 0.
std::map<std::string_view, std::shared_ptr<connection>>
brokers_of(const protocol::topic_route& source, bool leader_only, const broker_lookup& lookup) {
    std::map<std::string_view, std::shared_ptr<connection>> found;
    for (const protocol::broker_data& broker : source.brokers) {
        if (broker.addresses.empty() || (leader_only && broker.addresses.begin()->first != 0))
            continue;
        if (auto to = lookup(broker.addresses.begin()->second))
            found[broker.broker_name] = std::move(to);
    }
    return found;
}

void add_queues(std::vector<placed_queue>& to, std::string_view topic, const std::string& broker_name,
                std::int32_t count, const std::shared_ptr<connection>& broker) {
    count = std::min(count, protocol::limits::max_queue_count);
    for (std::int32_t number = 0; number < count; ++number)
        to.push_back(
            {{std::string{topic}, broker_name, queue_number{static_cast<std::uint32_t>(number)}}, broker});
}

// "brokerA:4;brokerB:4": the queues of an ordered topic are these, whatever queueDatas says now.
std::vector<std::pair<std::string, std::int32_t>> parse_order(std::string_view text) {
    std::vector<std::pair<std::string, std::int32_t>> all;
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(';'));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        const auto colon = one.find(':');
        std::int32_t count = 0;
        if (colon != std::string_view::npos &&
            std::from_chars(one.data() + colon + 1, one.data() + one.size(), count).ec == std::errc{})
            all.emplace_back(one.substr(0, colon), count);
    }
    return all;
}

void sort_queues(std::vector<placed_queue>& queues) {
    std::sort(queues.begin(), queues.end(),
              [](const placed_queue& left, const placed_queue& right) { return left.id < right.id; });
}

std::shared_ptr<known_route> build_route(std::string_view topic, protocol::topic_route source,
                                         const broker_lookup& lookup) {
    auto route = std::make_shared<known_route>();
    const auto leaders = brokers_of(source, true, lookup);
    const auto any = brokers_of(source, false, lookup);
    for (const protocol::queue_data& part : source.queues) {
        const auto reader = any.find(part.broker_name);
        if ((part.permission & protocol::permission::read) != 0 && reader != any.end())
            add_queues(route->readable, topic, part.broker_name, part.read_queue_count, reader->second);
        const auto leader = leaders.find(part.broker_name);
        if (source.order_conf.empty() && (part.permission & protocol::permission::write) != 0 &&
            leader != leaders.end())
            add_queues(route->writable, topic, part.broker_name, part.write_queue_count, leader->second);
    }
    for (const auto& [name, count] : parse_order(source.order_conf))
        if (const auto leader = leaders.find(name); leader != leaders.end())
            add_queues(route->writable, topic, name, count, leader->second);
    sort_queues(route->readable);
    sort_queues(route->writable);
    for (const placed_queue& each : route->writable)
        route->writable_queues.push_back(each.id);
    route->source = std::move(source);
    return route;
}

} // namespace

route_ptr make_route(std::string_view topic, protocol::topic_route source, const broker_lookup& lookup) {
    return build_route(topic, std::move(source), lookup);
}

route_ptr make_provisional_route(std::string_view topic, protocol::topic_route source, std::int32_t queues,
                                 const broker_lookup& lookup) {
    for (protocol::queue_data& part : source.queues) {
        part.read_queue_count = std::min(part.read_queue_count, queues);
        part.write_queue_count = part.read_queue_count;
    }
    auto route = build_route(topic, std::move(source), lookup);
    route->provisional = true;
    route->readable.clear();
    return route;
}

std::shared_ptr<connection> node_of(const known_route& route, std::string_view broker_name, std::int64_t id,
                                    const broker_lookup& lookup) {
    for (const protocol::broker_data& broker : route.source.brokers)
        if (const auto address = broker.addresses.find(id);
            broker.broker_name == broker_name && address != broker.addresses.end())
            return lookup(address->second);
    return nullptr;
}

route_ptr route_table::find(std::string_view topic) const {
    const std::lock_guard lock{mutex_};
    const auto found = routes_.find(topic);
    return found == routes_.end() ? nullptr : found->second;
}

void route_table::put(std::string_view topic, route_ptr route) {
    const std::lock_guard lock{mutex_};
    routes_.insert_or_assign(std::string{topic}, std::move(route));
}

void route_table::forget(const std::string& topic) {
    const std::lock_guard lock{mutex_};
    routes_.erase(topic);
}

std::vector<std::string> route_table::topics() const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> names;
    for (const auto& [topic, route] : routes_)
        names.push_back(topic);
    return names;
}

std::vector<route_ptr> route_table::all() const {
    const std::lock_guard lock{mutex_};
    std::vector<route_ptr> routes;
    for (const auto& [topic, route] : routes_)
        routes.push_back(route);
    return routes;
}

} // namespace holdfast::client
