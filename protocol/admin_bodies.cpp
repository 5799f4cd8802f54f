#include "protocol/admin_bodies.hpp"

#include "protocol/subscription_json.hpp"

namespace holdfast::protocol {

namespace {

json_value version_to_json(const data_version& version) {
    return {{"counter", version.counter}, {"timestamp", version.timestamp_ms}};
}

result<data_version> version_from_json(const json_value& object) {
    data_version version;
    json_reader from{object, "data version"};
    from.number("counter", version.counter);
    from.number("timestamp", version.timestamp_ms);
    if (from.failure())
        return *from.failure();
    return version;
}

json_value topic_to_json(const topic_config& topic) {
    return {{"topicName", topic.name},
            {"readQueueNums", topic.read_queue_count},
            {"writeQueueNums", topic.write_queue_count},
            {"perm", topic.permission},
            {"topicFilterType", topic.filter_type},
            {"topicSysFlag", topic.sys_flag},
            {"order", topic.is_ordered}};
}

result<topic_config> topic_from_json(const json_value& object) {
    topic_config topic;
    json_reader from{object, "topic config"};
    from.required_text("topicName", topic.name);
    from.number("readQueueNums", topic.read_queue_count);
    from.number("writeQueueNums", topic.write_queue_count);
    from.number("perm", topic.permission);
    from.text("topicFilterType", topic.filter_type);
    from.number("topicSysFlag", topic.sys_flag);
    from.boolean("order", topic.is_ordered);
    if (from.failure())
        return *from.failure();
    return topic;
}

json_value group_to_json(const group_config& group) {
    return {{"groupName", group.name},
            {"consumeEnable", group.consume_enable},
            {"consumeFromMinEnable", group.consume_from_min_enable},
            {"consumeBroadcastEnable", group.consume_broadcast_enable},
            {"retryQueueNums", group.retry_queue_count},
            {"retryMaxTimes", group.retry_max_times},
            {"brokerId", group.broker_id},
            {"whichBrokerWhenConsumeSlowly", group.which_broker_when_consume_slowly},
            {"notifyConsumerIdsChangedEnable", group.notify_consumer_ids_changed}};
}

result<group_config> group_from_json(const json_value& object) {
    group_config group;
    json_reader from{object, "group config"};
    from.required_text("groupName", group.name);
    from.boolean("consumeEnable", group.consume_enable);
    from.boolean("consumeFromMinEnable", group.consume_from_min_enable);
    from.boolean("consumeBroadcastEnable", group.consume_broadcast_enable);
    from.number("retryQueueNums", group.retry_queue_count);
    from.number("retryMaxTimes", group.retry_max_times);
    from.number("brokerId", group.broker_id);
    from.number("whichBrokerWhenConsumeSlowly", group.which_broker_when_consume_slowly);
    from.boolean("notifyConsumerIdsChangedEnable", group.notify_consumer_ids_changed);
    if (from.failure())
        return *from.failure();
    return group;
}

json_value connections_to_json(const std::vector<client_connection>& connections) {
    json_value list = json_value::array();
    for (const client_connection& connection : connections)
        list.push_back({{"clientId", connection.client_id},
                        {"clientAddr", connection.address},
                        {"language", to_string(connection.language)},
                        {"version", connection.version}});
    return list;
}

result<std::vector<client_connection>> connections_from_json(const json_value& list) {
    std::vector<client_connection> connections;
    for (const json_value& element : list) {
        client_connection& connection = connections.emplace_back();
        std::string language;
        json_reader from{element, "connection"};
        from.text("clientId", connection.client_id);
        from.text("clientAddr", connection.address);
        from.text("language", language);
        from.number("version", connection.version);
        if (from.failure())
            return *from.failure();
        connection.language = language_named(language);
    }
    return connections;
}

// A list of texts under one key.
result<std::vector<std::string>> texts_of(byte_view body, const char* key, std::string_view what) {
    const auto parsed = parse_json_body(body, what);
    if (!parsed)
        return parsed.failure();
    std::vector<std::string> texts;
    json_reader from{*parsed, what};
    from.texts(key, texts);
    if (from.failure())
        return *from.failure();
    return texts;
}

// A table of configs by name, read from under `key` with `from_json`.
template <class Table, class FromJson>
result<Table> configs_of(byte_view body, const char* key, std::string_view what, FromJson from_json) {
    const auto parsed = parse_json_body(body, what);
    if (!parsed)
        return parsed.failure();
    Table table;
    json_reader from{*parsed, what};
    auto version = version_from_json(from.object("dataVersion"));
    if (!version)
        return version.failure();
    table.version = *version;
    for (const auto& [name, object] : from.object(key).items()) {
        auto config = from_json(object);
        if (!config)
            return config.failure();
        if constexpr (requires { table.topics; })
            table.topics[name] = *std::move(config);
        else
            table.groups[name] = *std::move(config);
    }
    if (from.failure())
        return *from.failure();
    return table;
}

} // namespace

std::string encode_topic_list(const topic_list& list) {
    json_value body{{"topicList", list.topics}};
    if (!list.broker_address.empty())
        body["brokerAddr"] = list.broker_address;
    return dump_json(body);
}

result<topic_list> decode_topic_list(byte_view body) {
    const auto parsed = parse_json_body(body, "topic list");
    if (!parsed)
        return parsed.failure();
    topic_list list;
    json_reader from{*parsed, "topic list"};
    from.texts("topicList", list.topics);
    from.text("brokerAddr", list.broker_address);
    if (from.failure())
        return *from.failure();
    return list;
}

std::string encode_group_list(const std::vector<std::string>& groups) {
    return dump_json({{"groupList", groups}});
}

result<std::vector<std::string>> decode_group_list(byte_view body) {
    return texts_of(body, "groupList", "group list");
}

std::string encode_topic_configs(const topic_config_table& table) {
    json_value topics = json_value::object();
    for (const auto& [name, topic] : table.topics)
        topics[name] = topic_to_json(topic);
    return dump_json(
        {{"dataVersion", version_to_json(table.version)}, {"topicConfigTable", std::move(topics)}});
}

result<topic_config_table> decode_topic_configs(byte_view body) {
    return configs_of<topic_config_table>(body, "topicConfigTable", "topic configs", topic_from_json);
}

std::string encode_group_config(const group_config& config) {
    return dump_json(group_to_json(config));
}

result<group_config> decode_group_config(byte_view body) {
    const auto parsed = parse_json_body(body, "group config", limits::max_json_request_bytes);
    if (!parsed)
        return parsed.failure();
    return group_from_json(*parsed);
}

std::string encode_group_configs(const group_config_table& table) {
    json_value groups = json_value::object();
    for (const auto& [name, group] : table.groups)
        groups[name] = group_to_json(group);
    return dump_json(
        {{"dataVersion", version_to_json(table.version)}, {"subscriptionGroupTable", std::move(groups)}});
}

result<group_config_table> decode_group_configs(byte_view body) {
    return configs_of<group_config_table>(body, "subscriptionGroupTable", "group configs", group_from_json);
}

std::string encode_consumer_connections(const consumer_connections& connections) {
    json_value subscriptions = json_value::object();
    for (const auto& [topic, subscription] : connections.subscriptions)
        subscriptions[topic] = subscription_to_json(subscription);
    return dump_json({{"connectionSet", connections_to_json(connections.connections)},
                      {"consumeType", to_string(connections.type)},
                      {"messageModel", to_string(connections.model)},
                      {"consumeFromWhere", to_string(connections.from)},
                      {"subscriptionTable", std::move(subscriptions)}});
}

result<consumer_connections> decode_consumer_connections(byte_view body) {
    const auto parsed = parse_json_body(body, "consumer connections");
    if (!parsed)
        return parsed.failure();
    consumer_connections all;
    json_reader from{*parsed, "consumer connections"};
    auto connections = connections_from_json(from.array("connectionSet"));
    if (!connections)
        return connections.failure();
    all.connections = *std::move(connections);
    from.enumeration("consumeType", consume_type_names, all.type);
    from.enumeration("messageModel", message_model_names, all.model);
    from.enumeration("consumeFromWhere", consume_from_names, all.from);
    for (const auto& [topic, object] : from.object("subscriptionTable").items()) {
        auto subscription = subscription_from_json(object);
        if (!subscription)
            return subscription.failure();
        all.subscriptions[topic] = *std::move(subscription);
    }
    if (from.failure())
        return *from.failure();
    return all;
}

std::string encode_producer_connections(const std::vector<client_connection>& connections) {
    return dump_json({{"connectionSet", connections_to_json(connections)}});
}

result<std::vector<client_connection>> decode_producer_connections(byte_view body) {
    const auto parsed = parse_json_body(body, "producer connections");
    if (!parsed)
        return parsed.failure();
    json_reader from{*parsed, "producer connections"};
    auto connections = connections_from_json(from.array("connectionSet"));
    if (from.failure())
        return *from.failure();
    return connections;
}

std::string encode_producer_table(const producer_table& producers) {
    json_value groups = json_value::object();
    for (const auto& [group, infos] : producers) {
        json_value list = json_value::array();
        for (const auto& info : infos)
            list.push_back({{"clientId", info.client.client_id},
                            {"remoteIP", info.client.address},
                            {"language", to_string(info.client.language)},
                            {"version", info.client.version},
                            {"lastUpdateTimestamp", info.last_heard.value()}});
        groups[group] = std::move(list);
    }
    return dump_json({{"data", std::move(groups)}});
}

std::string encode_text_table(const text_table& table) {
    return dump_json({{"table", table}});
}

result<text_table> decode_text_table(byte_view body) {
    const auto parsed = parse_json_body(body, "table");
    if (!parsed)
        return parsed.failure();
    text_table table;
    json_reader from{*parsed, "table"};
    json_reader members{from.object("table"), "table"};
    for (const auto& item : from.object("table").items())
        members.text(item.key().c_str(), table[item.key()]);
    if (from.failure())
        return *from.failure();
    if (members.failure())
        return *members.failure();
    return table;
}

} // namespace holdfast::protocol
