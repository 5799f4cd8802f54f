#include "tests/protocol/fuzz_targets.hpp"

#include "protocol/admin_bodies.hpp"
#include "protocol/answers.hpp"
#include "protocol/batch.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/route.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"

#include <array>

namespace holdfast::protocol {

namespace {

// Views must stay within what was given or what the command owns: touching every byte lets ASan see.
std::size_t touch(std::string_view text) {
    std::size_t sum = 0;
    for (const char character : text)
        sum += static_cast<std::uint8_t>(character);
    return sum;
}

volatile std::size_t sink = 0;

bool fuzz_header(byte_view input, serialize_type dialect) {
    thread_local remoting_command command; // reused, as sessions do
    const frame_view frame{.serialize = dialect, .header = input, .body = {}, .size = input.size()};
    if (!command.decode(frame))
        return false;
    std::size_t sum = touch(command.remark());
    HOLDFAST_CHECK(command.fields().size() <= limits::max_field_count);
    for (const header_field& field : command.fields())
        sum += touch(field.name) + touch(field.value);
    sink = sum;
    bool typed = false;
    if (const auto send = decode_send_message(command)) {
        typed = true;
        byte_buffer out;
        append_send_message(out, {.opaque = 1, .serialize = serialize_type::binary}, *send);
    }
    if (const auto pull = decode_header<pull_message_request>(command)) {
        typed = true;
        byte_buffer out;
        append_request(out, {.opaque = 1}, *pull);
    }
    typed |= decode_header<consumer_send_message_back_request>(command).ok();
    typed |= decode_header<end_transaction_request>(command).ok();
    return typed;
}

bool fuzz_frames(byte_view input) {
    bool any = false;
    while (true) {
        const auto frame = next_frame(input);
        if (!frame || !*frame)
            return any;
        HOLDFAST_CHECK((*frame)->size <= input.size() && (*frame)->size >= limits::frame_prefix_bytes);
        any |= fuzz_header((*frame)->header, (*frame)->serialize);
        sink = touch(as_text((*frame)->body));
        input = input.subspan((*frame)->size);
    }
}

bool fuzz_batch(byte_view input) {
    batch_reader reader{input};
    bool any = false;
    while (const auto next = reader.next()) {
        if (!*next)
            return false;
        sink = touch(as_text((*next)->body)) + touch((*next)->properties);
        any = true;
    }
    HOLDFAST_CHECK(check_batch(input).ok() == any);
    return any;
}

bool fuzz_properties(byte_view input) {
    const std::string_view text = as_text(input);
    bool any = false;
    for (const message_property& property : properties_view{text}) {
        HOLDFAST_CHECK(!property.name.empty() && !property.value.empty());
        HOLDFAST_CHECK(find_property(text, property.name).has_value());
        HOLDFAST_CHECK(!find_property(without_property(text, property.name), property.name));
        any = true;
    }
    sink = static_cast<std::size_t>(java_hash(text));
    sink = tag_filter::parse(text).ok() ? 1 : 0;
    sink = parse_message_id(text).ok() ? 1 : 0;
    return any;
}

bool fuzz_stored(byte_view input) {
    stored_message_reader reader{input};
    bool any = false;
    while (const auto next = reader.next()) {
        if (!*next)
            return false;
        sink = touch(as_text((*next)->body)) + touch((*next)->topic) + touch((*next)->properties);
        HOLDFAST_CHECK((*next)->size <= input.size());
        any = true;
    }
    return any;
}

// What was read must be written to a text that reads the same.
template <class Decode, class Encode>
bool fuzz_body(byte_view input, Decode decode, Encode encode) {
    const auto body = decode(input);
    if (!body)
        return false;
    const std::string text = encode(*body);
    const auto again = decode(as_bytes(text));
    HOLDFAST_CHECK(again.ok());
    HOLDFAST_CHECK(encode(*again) == text);
    return true;
}

} // namespace

bool fuzz_one(byte_view input) {
    if (input.empty())
        return false;
    const byte_view rest = input.subspan(1);
    switch (static_cast<std::uint8_t>(input[0]) % 11) {
    case 0:
        return fuzz_frames(rest);
    case 1:
        return fuzz_header(rest, serialize_type::json);
    case 2:
        return fuzz_header(rest, serialize_type::binary);
    case 3:
        return fuzz_batch(rest);
    case 4:
        return fuzz_properties(rest);
    case 5:
        return fuzz_stored(rest);
    case 6:
        return fuzz_body(rest, decode_heartbeat, encode_heartbeat);
    case 7:
        return fuzz_body(rest, decode_route, encode_route);
    case 8:
        return fuzz_body(rest, decode_offset_table, encode_offset_table);
    case 9:
        return fuzz_body(rest, decode_lock_batch, encode_lock_batch);
    default:
        return fuzz_body(rest, decode_topic_configs, encode_topic_configs);
    }
}

std::vector<std::string> fuzz_seeds() {
    std::vector<std::string> seeds;
    const auto add = [&](int target, std::string_view input) {
        seeds.push_back(std::string(1, static_cast<char>(target)).append(input));
    };
    const send_message_request send{.producer_group = "PG",
                                    .topic = "TopicTest",
                                    .default_topic = "TBW102",
                                    .properties = "KEYS\x01k\x02TAGS\x01\xF0\x9F\x98\x80\x02",
                                    .max_reconsume_times = 3,
                                    .body = as_bytes("body")};
    const pull_message_request pull{.consumer_group = "CG", .topic = "T", .subscription = "A || B"};
    byte_buffer frames;
    append_send_message(frames, {.opaque = 1}, send);
    append_send_message(frames, {.opaque = 2, .serialize = serialize_type::binary}, send);
    append_request(frames, {.opaque = 3}, pull);
    append_request(frames, {.opaque = 4}, end_transaction_request{.producer_group = "PG"});
    add(0, as_text(frames.view()));
    for (byte_view rest = frames.view(); !rest.empty();) {
        const auto frame = next_frame(rest);
        add((*frame)->serialize == serialize_type::json ? 1 : 2, as_text((*frame)->header));
        rest = rest.subspan((*frame)->size);
    }
    add(1,
        R"({"code":310,"x":{"y":[1,{"z":"\ud83d\ude00"}]},"extFields":{"a":"g","b":"t","c":"d","d":4,"e":-1,"f":0,"g":1.5,"h":null,"k":true},"remark":"\u0001\n"})");
    byte_buffer batch;
    append_batch_message(batch, {.flag = 1,
                                 .body = as_bytes("one"),
                                 .properties = "a\x01"
                                               "b\x02"});
    append_batch_message(batch, {.body = as_bytes("two")});
    add(3, as_text(batch.view()));
    add(4, "KEYS\x01k1 k2\x02TAGS\x01TagA\x02WAIT\x01true");
    stored_message message;
    message.topic = "TopicTest";
    message.body = as_bytes("body");
    message.properties = send.properties;
    std::string records(message.size() * 2, '\0');
    write_stored_message(reinterpret_cast<std::byte*>(records.data()), message);
    write_stored_message(reinterpret_cast<std::byte*>(records.data()) + message.size(), message);
    add(5, records);
    add(6, encode_heartbeat(
               {.client_id = "c",
                .producer_groups = {"PG"},
                .consumers = {
                    {.group = "CG", .subscriptions = {{.topic = "T", .tags = {"A"}, .hashes = {65}}}}}}));
    add(6,
        R"({"clientID":"c","consumerDataSet":[{"consumeFromWhere":4,"consumeType":1,"groupName":"G","messageModel":0,"subscriptionDataSet":[{"subString":"*","subVersion":"17","topic":"T","codeSet":["1"]}]}],"producerDataSet":null})");
    add(7,
        R"({"brokerDatas":[{"brokerAddrs":{0:"h:1",1:"h:2"},"brokerName":"b","cluster":"c"}],"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}],"orderTopicConf":"b:4"})");
    add(8,
        R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5,{"brokerName":"b","queueId":1,"topic":"T"}:-6}})");
    add(8, R"({"offsetTable":[{"brokerName":"b","offset":5,"queueId":0,"topic":"T"}]})");
    add(9, encode_lock_batch({.consumer_group = "CG", .client_id = "c", .queues = {{"T", "b", 0}}}));
    add(10, encode_topic_configs({.topics = {{"T", {.name = "T"}}}}));
    return seeds;
}

} // namespace holdfast::protocol
