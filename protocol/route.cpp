#include "protocol/route.hpp"

#include "protocol/header_fields.hpp"
#include "protocol/json_body.hpp"

namespace holdfast::protocol {

namespace {

json_value broker_to_json(const broker_data& broker) {
    json_value addresses = json_value::object();
    for (const auto& [id, address] : broker.addresses)
        addresses[std::to_string(id)] = address;
    return {{"brokerName", broker.broker_name},
            {"cluster", broker.cluster},
            {"brokerAddrs", std::move(addresses)}};
}

result<broker_data> broker_from_json(const json_value& object) {
    broker_data broker;
    json_reader from{object, "broker data"};
    from.text("brokerName", broker.broker_name);
    from.text("cluster", broker.cluster);
    for (const auto& [key, address] : from.object("brokerAddrs").items()) {
        std::int64_t id = 0;
        if (!parse_field(key, id) || !address.is_string())
            return error{errc::malformed, "broker data: brokerAddrs must map broker ids to addresses"};
        broker.addresses[id] = address.get<std::string>();
    }
    if (from.failure())
        return *from.failure();
    return broker;
}

json_value queue_to_json(const queue_data& queue) {
    return {{"brokerName", queue.broker_name},
            {"perm", queue.permission},
            {"readQueueNums", queue.read_queue_count},
            {"writeQueueNums", queue.write_queue_count},
            {"topicSysFlag", queue.sys_flag}};
}

result<queue_data> queue_from_json(const json_value& object) {
    queue_data queue;
    json_reader from{object, "queue data"};
    from.text("brokerName", queue.broker_name);
    from.number("perm", queue.permission);
    from.number("readQueueNums", queue.read_queue_count);
    from.number("writeQueueNums", queue.write_queue_count);
    from.number("topicSysFlag", queue.sys_flag);
    if (from.failure())
        return *from.failure();
    return queue;
}

} // namespace

std::string encode_route(const topic_route& route) {
    json_value brokers = json_value::array();
    for (const broker_data& broker : route.brokers)
        brokers.push_back(broker_to_json(broker));
    json_value queues = json_value::array();
    for (const queue_data& queue : route.queues)
        queues.push_back(queue_to_json(queue));
    json_value body{{"brokerDatas", std::move(brokers)},
                    {"filterServerTable", json_value::object()},
                    {"queueDatas", std::move(queues)}};
    if (!route.order_conf.empty())
        body["orderTopicConf"] = route.order_conf;
    return dump_json(body);
}

result<topic_route> decode_route(byte_view body) {
    const auto parsed = parse_json_body(body, "route");
    if (!parsed)
        return parsed.failure();
    topic_route route;
    json_reader from{*parsed, "route"};
    from.text("orderTopicConf", route.order_conf);
    for (const json_value& element : from.array("brokerDatas")) {
        auto broker = broker_from_json(element);
        if (!broker)
            return broker.failure();
        route.brokers.push_back(*std::move(broker));
    }
    for (const json_value& element : from.array("queueDatas")) {
        auto queue = queue_from_json(element);
        if (!queue)
            return queue.failure();
        route.queues.push_back(*std::move(queue));
    }
    if (from.failure())
        return *from.failure();
    return route;
}

std::string encode_cluster_info(const cluster_info& info) {
    json_value brokers = json_value::object();
    for (const auto& [name, broker] : info.brokers)
        brokers[name] = broker_to_json(broker);
    json_value clusters = json_value::object();
    for (const auto& [name, members] : info.clusters)
        clusters[name] = members;
    return dump_json({{"brokerAddrTable", std::move(brokers)}, {"clusterAddrTable", std::move(clusters)}});
}

result<cluster_info> decode_cluster_info(byte_view body) {
    const auto parsed = parse_json_body(body, "cluster info");
    if (!parsed)
        return parsed.failure();
    cluster_info info;
    json_reader from{*parsed, "cluster info"};
    for (const auto& [name, object] : from.object("brokerAddrTable").items()) {
        auto broker = broker_from_json(object);
        if (!broker)
            return broker.failure();
        info.brokers[name] = *std::move(broker);
    }
    json_reader clusters{from.object("clusterAddrTable"), "cluster info"};
    for (const auto& [name, members] : from.object("clusterAddrTable").items())
        clusters.texts(name.c_str(), info.clusters[name]);
    if (from.failure())
        return *from.failure();
    if (clusters.failure())
        return *clusters.failure();
    return info;
}

} // namespace holdfast::protocol
