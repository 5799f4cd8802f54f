#include "protocol/queue_bodies.hpp"

#include "protocol/json_body.hpp"

#include <charconv>

namespace holdfast::protocol {

namespace {

json_value queue_to_json(const message_queue& queue) {
    return {{"brokerName", queue.broker_name}, {"queueId", queue.queue_id}, {"topic", queue.topic}};
}

result<message_queue> queue_from_json(const json_value& object) {
    message_queue queue;
    json_reader from{object, "message queue"};
    from.required_text("topic", queue.topic);
    from.text("brokerName", queue.broker_name);
    from.number("queueId", queue.queue_id);
    if (from.failure())
        return *from.failure();
    return queue;
}

// The key of a table: the text of an object.
result<message_queue> queue_from_key(const std::string& key) {
    const auto parsed = parse_json_body(as_bytes(key), "message queue as a key");
    if (!parsed)
        return parsed.failure();
    return queue_from_json(*parsed);
}

json_value queues_to_json(const std::vector<message_queue>& queues) {
    json_value list = json_value::array();
    for (const message_queue& queue : queues)
        list.push_back(queue_to_json(queue));
    return list;
}

result<std::vector<message_queue>> queues_from_json(const json_value& list) {
    std::vector<message_queue> queues;
    for (const json_value& element : list) {
        auto queue = queue_from_json(element);
        if (!queue)
            return queue.failure();
        queues.push_back(*std::move(queue));
    }
    return queues;
}

// `{{queue}:value,{queue}:value}`, which no JSON library writes.
template <class Table, class ToJson>
std::string object_keyed(const Table& table, ToJson to_json) {
    std::string text = "{";
    for (const auto& [queue, value] : table) {
        if (text.size() > 1)
            text += ',';
        text += dump_json(queue_to_json(queue));
        text += ':';
        text += dump_json(to_json(value));
    }
    return text += '}';
}

// Reads such a table after parse_json_body has made texts of its keys.
template <class Table, class FromJson>
result<Table> read_object_keyed(const json_value& object, FromJson from_json) {
    Table table;
    for (const auto& [key, value] : object.items()) {
        auto queue = queue_from_key(key);
        if (!queue)
            return queue.failure();
        auto element = from_json(value);
        if (!element)
            return element.failure();
        table[*std::move(queue)] = *std::move(element);
    }
    return table;
}

result<queue_offset> offset_from_json(const json_value& value) {
    if (!value.is_number_integer())
        return error{errc::malformed, "offset table: an offset must be an integer"};
    return queue_offset{value.get<std::int64_t>()};
}

// The form for C++ clients: queues with an offset each (4.3).
result<queue_offset_table> offset_list_from_json(const json_value& list) {
    queue_offset_table table;
    for (const json_value& element : list) {
        auto queue = queue_from_json(element);
        if (!queue)
            return queue.failure();
        json_reader from{element, "offset table"};
        from.number("offset", table[*std::move(queue)]);
        if (from.failure())
            return *from.failure();
    }
    return table;
}

} // namespace

std::string encode_lock_batch(const lock_batch_body& body) {
    return dump_json({{"clientId", body.client_id},
                      {"consumerGroup", body.consumer_group},
                      {"mqSet", queues_to_json(body.queues)}});
}

result<lock_batch_body> decode_lock_batch(byte_view body) {
    const auto parsed = parse_json_body(body, "lock request", limits::max_json_request_bytes);
    if (!parsed)
        return parsed.failure();
    lock_batch_body lock;
    json_reader from{*parsed, "lock request"};
    from.required_text("clientId", lock.client_id);
    from.required_text("consumerGroup", lock.consumer_group);
    auto queues = queues_from_json(from.array("mqSet"));
    if (from.failure())
        return *from.failure();
    if (!queues)
        return queues.failure();
    lock.queues = *std::move(queues);
    return lock;
}

std::string encode_locked_queues(const std::vector<message_queue>& queues) {
    return dump_json({{"lockOKMQSet", queues_to_json(queues)}});
}

result<std::vector<message_queue>> decode_locked_queues(byte_view body) {
    const auto parsed = parse_json_body(body, "lock answer");
    if (!parsed)
        return parsed.failure();
    json_reader from{*parsed, "lock answer"};
    auto queues = queues_from_json(from.array("lockOKMQSet"));
    if (from.failure())
        return *from.failure();
    return queues;
}

std::string encode_consumer_ids(const std::vector<std::string>& ids) {
    return dump_json({{"consumerIdList", ids}});
}

result<std::vector<std::string>> decode_consumer_ids(byte_view body) {
    const auto parsed = parse_json_body(body, "consumer ids");
    if (!parsed)
        return parsed.failure();
    std::vector<std::string> ids;
    json_reader from{*parsed, "consumer ids"};
    from.texts("consumerIdList", ids);
    if (from.failure())
        return *from.failure();
    return ids;
}

std::string encode_offset_table(const queue_offset_table& table) {
    return R"({"offsetTable":)" +
           object_keyed(table, [](queue_offset offset) { return json_value(offset.value()); }) + "}";
}

std::string encode_offset_list(const queue_offset_table& table) {
    json_value list = json_value::array();
    for (const auto& [queue, offset] : table) {
        json_value element = queue_to_json(queue);
        element["offset"] = offset.value();
        list.push_back(std::move(element));
    }
    return dump_json({{"offsetTable", std::move(list)}});
}

result<queue_offset_table> decode_offset_table(byte_view body) {
    const auto parsed = parse_json_body(body, "offset table");
    if (!parsed)
        return parsed.failure();
    json_reader from{*parsed, "offset table"};
    const json_value* const table = from.find("offsetTable");
    if (table && table->is_array())
        return offset_list_from_json(*table);
    auto read = read_object_keyed<queue_offset_table>(from.object("offsetTable"), offset_from_json);
    if (from.failure())
        return *from.failure();
    return read;
}

std::string encode_stored_offsets(const stored_offsets& offsets) {
    std::string text = R"({"offsetTable":{)";
    for (const auto& [where, queues] : offsets) {
        if (text.back() != '{')
            text += ',';
        text += dump_json(where) + ":{";
        for (const auto& [queue, offset] : queues) {
            if (text.back() != '{')
                text += ',';
            text += std::to_string(queue) + ':' + std::to_string(offset.value());
        }
        text += '}';
    }
    return text += "}}";
}

result<stored_offsets> decode_stored_offsets(byte_view body) {
    const auto parsed = parse_json_body(body, "stored offsets");
    if (!parsed)
        return parsed.failure();
    stored_offsets offsets;
    json_reader from{*parsed, "stored offsets"};
    for (const auto& [where, queues] : from.object("offsetTable").items())
        for (const auto& [queue, offset] : queues.items()) {
            std::int32_t number = 0;
            const auto* const end = queue.data() + queue.size();
            const auto read = offset_from_json(offset);
            if (!read || std::from_chars(queue.data(), end, number).ptr != end)
                return error{errc::malformed, "stored offsets: a queue or an offset is no number"};
            offsets[where][number] = *read;
        }
    if (from.failure())
        return *from.failure();
    return offsets;
}

std::string encode_topic_stats(const topic_stats& stats) {
    return R"({"offsetTable":)" +
           object_keyed(stats,
                        [](const queue_stats& queue) {
                            return json_value{{"lastUpdateTimestamp", queue.last_update.value()},
                                              {"maxOffset", queue.max_offset.value()},
                                              {"minOffset", queue.min_offset.value()}};
                        }) +
           "}";
}

result<topic_stats> decode_topic_stats(byte_view body) {
    const auto parsed = parse_json_body(body, "topic stats");
    if (!parsed)
        return parsed.failure();
    json_reader from{*parsed, "topic stats"};
    auto read = read_object_keyed<topic_stats>(from.object("offsetTable"), [](const json_value& value) {
        queue_stats queue;
        json_reader members{value, "topic stats"};
        members.number("lastUpdateTimestamp", queue.last_update);
        members.number("maxOffset", queue.max_offset);
        members.number("minOffset", queue.min_offset);
        return members.failure() ? result<queue_stats>{*members.failure()} : result<queue_stats>{queue};
    });
    if (from.failure())
        return *from.failure();
    return read;
}

std::string encode_consume_stats(const consume_stats& stats) {
    return R"({"consumeTps":)" + dump_json(stats.consume_tps) + R"(,"offsetTable":)" +
           object_keyed(stats.queues,
                        [](const consume_progress& progress) {
                            return json_value{{"brokerOffset", progress.broker_offset.value()},
                                              {"consumerOffset", progress.consumer_offset.value()},
                                              {"lastTimestamp", progress.last_timestamp.value()}};
                        }) +
           "}";
}

result<consume_stats> decode_consume_stats(byte_view body) {
    const auto parsed = parse_json_body(body, "consume stats");
    if (!parsed)
        return parsed.failure();
    consume_stats stats;
    json_reader from{*parsed, "consume stats"};
    if (const json_value* const tps = from.find("consumeTps"); tps && tps->is_number())
        stats.consume_tps = tps->get<double>();
    using table = std::map<message_queue, consume_progress>;
    auto read = read_object_keyed<table>(from.object("offsetTable"), [](const json_value& value) {
        consume_progress progress;
        json_reader members{value, "consume stats"};
        members.number("brokerOffset", progress.broker_offset);
        members.number("consumerOffset", progress.consumer_offset);
        members.number("lastTimestamp", progress.last_timestamp);
        return members.failure() ? result<consume_progress>{*members.failure()}
                                 : result<consume_progress>{progress};
    });
    if (from.failure())
        return *from.failure();
    if (!read)
        return read.failure();
    stats.queues = *std::move(read);
    return stats;
}

} // namespace holdfast::protocol
