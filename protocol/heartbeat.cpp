#include "protocol/heartbeat.hpp"

#include "protocol/subscription_json.hpp"

namespace holdfast::protocol {

std::string_view to_string(consume_type value) {
    return consume_type_names.at(static_cast<std::size_t>(value));
}
std::string_view to_string(message_model value) {
    return message_model_names.at(static_cast<std::size_t>(value));
}
std::string_view to_string(consume_from value) {
    return consume_from_names.at(static_cast<std::size_t>(value));
}

json_value subscription_to_json(const subscription_data& subscription) {
    return {{"topic", subscription.topic},
            {"subString", subscription.expression},
            {"expressionType", subscription.expression_type},
            {"subVersion", subscription.version},
            {"classFilterMode", subscription.class_filter_mode},
            {"tagsSet", subscription.tags},
            {"codeSet", subscription.hashes}};
}

result<subscription_data> subscription_from_json(const json_value& object) {
    subscription_data subscription;
    json_reader from{object, "subscription"};
    from.required_text("topic", subscription.topic);
    from.text("subString", subscription.expression);
    from.text("expressionType", subscription.expression_type);
    from.number("subVersion", subscription.version);
    from.boolean("classFilterMode", subscription.class_filter_mode);
    from.texts("tagsSet", subscription.tags);
    from.numbers("codeSet", subscription.hashes);
    if (from.failure())
        return *from.failure();
    if (subscription.expression_type.empty())
        subscription.expression_type = "TAG";
    return subscription;
}

namespace {

result<consumer_data> consumer_from_json(const json_value& object) {
    consumer_data consumer;
    json_reader from{object, "heartbeat, consumer"};
    from.required_text("groupName", consumer.group);
    from.enumeration("consumeType", consume_type_names, consumer.type);
    from.enumeration("messageModel", message_model_names, consumer.model);
    from.enumeration("consumeFromWhere", consume_from_names, consumer.from);
    from.boolean("unitMode", consumer.unit_mode);
    for (const json_value& element : from.array("subscriptionDataSet")) {
        auto subscription = subscription_from_json(element);
        if (!subscription)
            return subscription.failure();
        consumer.subscriptions.push_back(*std::move(subscription));
    }
    if (from.failure())
        return *from.failure();
    return consumer;
}

json_value consumer_to_json(const consumer_data& consumer) {
    json_value subscriptions = json_value::array();
    for (const subscription_data& subscription : consumer.subscriptions)
        subscriptions.push_back(subscription_to_json(subscription));
    return {{"groupName", consumer.group},
            {"consumeType", to_string(consumer.type)},
            {"messageModel", to_string(consumer.model)},
            {"consumeFromWhere", to_string(consumer.from)},
            {"unitMode", consumer.unit_mode},
            {"subscriptionDataSet", std::move(subscriptions)}};
}

} // namespace

result<heartbeat> decode_heartbeat(byte_view body) {
    const auto parsed = parse_json_body(body, "heartbeat", limits::max_json_request_bytes);
    if (!parsed)
        return parsed.failure();
    heartbeat beat;
    json_reader from{*parsed, "heartbeat"};
    from.required_text("clientID", beat.client_id);
    for (const json_value& element : from.array("producerDataSet")) {
        json_reader producer{element, "heartbeat, producer"};
        producer.required_text("groupName", beat.producer_groups.emplace_back());
        if (producer.failure())
            return *producer.failure();
    }
    for (const json_value& element : from.array("consumerDataSet")) {
        auto consumer = consumer_from_json(element);
        if (!consumer)
            return consumer.failure();
        beat.consumers.push_back(*std::move(consumer));
    }
    if (from.failure())
        return *from.failure();
    return beat;
}

std::string encode_heartbeat(const heartbeat& beat) {
    json_value producers = json_value::array();
    for (const std::string& group : beat.producer_groups)
        producers.push_back({{"groupName", group}});
    json_value consumers = json_value::array();
    for (const consumer_data& consumer : beat.consumers)
        consumers.push_back(consumer_to_json(consumer));
    return dump_json({{"clientID", beat.client_id},
                      {"producerDataSet", std::move(producers)},
                      {"consumerDataSet", std::move(consumers)}});
}

result<client_config_check> decode_client_config_check(byte_view body) {
    const auto parsed = parse_json_body(body, "client config", limits::max_json_request_bytes);
    if (!parsed)
        return parsed.failure();
    client_config_check check;
    json_reader from{*parsed, "client config"};
    from.text("clientId", check.client_id);
    from.text("group", check.group);
    auto subscription = subscription_from_json(from.object("subscriptionData"));
    if (from.failure())
        return *from.failure();
    if (!subscription)
        return subscription.failure();
    check.subscription = *std::move(subscription);
    return check;
}

} // namespace holdfast::protocol
