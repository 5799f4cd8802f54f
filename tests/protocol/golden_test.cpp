// Bytes made by the Java classes of RocketMQ 4.9.8 (protocol reference 13).
#include "protocol/batch.hpp"
#include "protocol/message_id.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/route.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

constexpr std::string_view golden_record =
    "0000006b daa320a7 58932aac 00000001 00000002 0000000000000003 0000000000000004 00000000 "
    "0000000000000005 "
    "0a000001 000010e1 0000000000000006 7f000001 00002a9f 00000007 0000000000000008 00000002 6869 01 54 000d "
    "61016202544147530154616741";

stored_message golden_message() {
    stored_message message;
    message.queue = queue_number{1};
    message.flag = 2;
    message.offset = queue_offset{3};
    message.position = log_position{4};
    message.born = timestamp_ms{5};
    message.born_host = {.address = 0x0A000001, .port = 4321};
    message.stored = timestamp_ms{6};
    message.store_host = {.address = 0x7F000001, .port = 10911};
    message.reconsume_times = 7;
    message.prepared_transaction = log_position{8};
    message.body = as_bytes("hi");
    message.topic = "T";
    message.properties = "a\x01"
                         "b\x02TAGS\x01TagA";
    return message;
}

TEST(Golden, BinaryRequestIsRead) {
    const std::string bytes =
        from_hex("0000002d 01000029 0069 00 018f 00000000 00000000 00000000 00000014 0005 "
                 "746f706963 00000009 546f70696354657374");
    const remoting_command command = decoded(as_bytes(bytes));
    EXPECT_EQ(command.request(), request_code::get_route_info_by_topic);
    EXPECT_EQ(command.language(), language::java);
    EXPECT_EQ(command.version(), 399);
    EXPECT_EQ(command.opaque(), 0);
    EXPECT_EQ(command.find("topic"), "TopicTest");
    EXPECT_EQ(command.serialize(), serialize_type::binary);
    EXPECT_TRUE(command.body().empty());
}

TEST(Golden, BinaryRequestIsWritten) {
    byte_buffer out;
    command_writer writer{
        out, {.code = 105, .serialize = serialize_type::binary, .language = language::java, .version = 399}};
    writer.field("topic", "TopicTest");
    writer.finish();
    EXPECT_EQ(to_hex(out.view()),
              without_blanks("0000002d 01000029 0069 00 018f 00000000 00000000 00000000 00000014 "
                             "0005 746f706963 00000009 546f70696354657374"));
}

TEST(Golden, JsonSamplesAreRead) {
    const byte_buffer request = json_frame(
        R"({"code":105,"extFields":{"topic":"TopicTest"},"flag":0,"language":"JAVA","opaque":0,"serializeTypeCurrentRPC":"JSON","version":0})");
    EXPECT_EQ(decoded(request.view()).find("topic"), "TopicTest");
    const byte_buffer response = json_frame(
        R"({"code":0,"flag":1,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":0})");
    const remoting_command answer = decoded(response.view());
    EXPECT_TRUE(answer.is_response());
    EXPECT_EQ(answer.opaque(), 7);
}

TEST(Golden, Properties) {
    const std::string bytes =
        from_hex("4b455953016b31206b32 02 5741495401 74727565 02 44454c41590133 02 544147530154616741");
    std::vector<message_property> found;
    for (const message_property& property : properties_view{bytes})
        found.push_back(property);
    const std::vector<message_property> expected{
        {"KEYS", "k1 k2"}, {"WAIT", "true"}, {"DELAY", "3"}, {"TAGS", "TagA"}};
    EXPECT_EQ(found, expected);
}

TEST(Golden, BatchRecord) {
    constexpr std::string_view hex = "0000002b 00000000 00000000 00000000 00000002 6869 0013 "
                                     "57414954017472756502544147530154616741";
    const std::string properties = from_hex("57414954017472756502544147530154616741");
    byte_buffer out;
    append_batch_message(out, {.flag = 0, .body = as_bytes("hi"), .properties = properties});
    EXPECT_EQ(to_hex(out.view()), without_blanks(hex));

    const std::string bytes = from_hex(hex);
    batch_reader reader{as_bytes(bytes)};
    const auto message = reader.next();
    ASSERT_TRUE(message && message->ok());
    EXPECT_EQ(as_text((*message)->body), "hi");
    EXPECT_EQ(find_property((*message)->properties, "TAGS"), "TagA");
    EXPECT_FALSE(reader.next());
}

TEST(Golden, StoredRecordIsWritten) {
    const stored_message message = golden_message();
    std::string bytes(message.size(), '\0');
    write_stored_message(reinterpret_cast<std::byte*>(bytes.data()), message);
    EXPECT_EQ(to_hex(as_bytes(bytes)), without_blanks(golden_record));
}

TEST(Golden, StoredRecordIsRead) {
    const std::string bytes = from_hex(golden_record);
    const auto view = decode_stored_message(as_bytes(bytes));
    ASSERT_TRUE(view) << view.failure();
    EXPECT_EQ(view->size, bytes.size());
    EXPECT_EQ(view->body_crc, 1486039724U);
    EXPECT_EQ(view->queue_id, 1);
    EXPECT_EQ(view->flag, 2);
    EXPECT_EQ(view->offset, queue_offset{3});
    EXPECT_EQ(view->physical_offset, 4);
    EXPECT_EQ(view->sys_flag, 0);
    EXPECT_EQ(view->born, timestamp_ms{5});
    EXPECT_EQ(to_string(view->born_host.to_ipv4()), "10.0.0.1:4321");
    EXPECT_EQ(view->stored, timestamp_ms{6});
    EXPECT_EQ(to_string(view->store_host.to_ipv4()), "127.0.0.1:10911");
    EXPECT_EQ(view->reconsume_times, 7);
    EXPECT_EQ(view->prepared_transaction_offset, 8);
    EXPECT_EQ(as_text(view->body), "hi");
    EXPECT_EQ(view->topic, "T");
    EXPECT_EQ(view->property("TAGS"), "TagA");
    EXPECT_EQ(view->property("a"), "b");
    EXPECT_TRUE(view->body_is_intact());
}

TEST(Golden, MessageId) {
    EXPECT_EQ(make_message_id({.address = 0x7F000001, .port = 10911}, log_position{4}),
              "7F00000100002A9F0000000000000004");
}

TEST(Golden, BodyChecksumAndTagHash) {
    EXPECT_EQ(stored_body_crc(as_bytes("hi")), 1486039724U);
    EXPECT_EQ(java_hash("TagA"), 2598919);
}

TEST(Golden, LockBodies) {
    const lock_batch_body lock{.consumer_group = "CG", .client_id = "c", .queues = {{"T", "broker-a", 0}}};
    EXPECT_EQ(
        encode_lock_batch(lock),
        R"({"clientId":"c","consumerGroup":"CG","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"T"}]})");
    EXPECT_EQ(encode_locked_queues(lock.queues),
              R"({"lockOKMQSet":[{"brokerName":"broker-a","queueId":0,"topic":"T"}]})");
}

TEST(Golden, ClassicRouteIsRead) {
    const auto route = decode_route(as_bytes(
        R"({"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:10921"},"brokerName":"broker-a","cluster":"DefaultCluster"}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]})"));
    ASSERT_TRUE(route) << route.failure();
    const topic_route expected{
        .queues = {{.broker_name = "broker-a", .read_queue_count = 8, .write_queue_count = 8}},
        .brokers = {{.cluster = "DefaultCluster",
                     .broker_name = "broker-a",
                     .addresses = {{0, "127.0.0.1:10911"}, {1, "127.0.0.1:10921"}}}}};
    EXPECT_EQ(*route, expected);
}

} // namespace
} // namespace holdfast::protocol
