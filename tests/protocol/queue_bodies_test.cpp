#include "protocol/queue_bodies.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

const message_queue queue_zero{"T", "b", 0};
const message_queue queue_one{"T", "b", 1};

TEST(QueueBodies, LocksRoundTripAndMissingSetIsEmpty) {
    const lock_batch_body lock{.consumer_group = "CG", .client_id = "c", .queues = {queue_zero, queue_one}};
    const auto again = decode_lock_batch(as_bytes(encode_lock_batch(lock)));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, lock);
    const auto empty =
        decode_lock_batch(as_bytes(R"({"clientId":"c","consumerGroup":"CG","onlyThisBroker":false})"));
    ASSERT_TRUE(empty) << empty.failure(); // C++ omits an empty mqSet
    EXPECT_TRUE(empty->queues.empty());
    EXPECT_FALSE(decode_lock_batch(as_bytes(R"({"clientId":"c"})")));
    EXPECT_FALSE(
        decode_lock_batch(as_bytes(R"({"clientId":"c","consumerGroup":"CG","mqSet":[{"queueId":1}]})")));
    EXPECT_EQ(*decode_locked_queues(as_bytes(encode_locked_queues(lock.queues))), lock.queues);
}

TEST(QueueBodies, ConsumerIds) {
    EXPECT_EQ(encode_consumer_ids({"id1", "id2"}), R"({"consumerIdList":["id1","id2"]})");
    EXPECT_EQ(*decode_consumer_ids(as_bytes(R"({"consumerIdList":["id1","id2"]})")),
              (std::vector<std::string>{"id1", "id2"}));
    EXPECT_FALSE(decode_consumer_ids(as_bytes(R"({"consumerIdList":[1]})")));
}

// T10: raw objects as keys, exactly.
TEST(QueueBodies, T10OffsetTableHasRawObjectKeys) {
    EXPECT_EQ(encode_offset_table({{queue_zero, queue_offset{5}}}),
              R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5}})");
    EXPECT_EQ(encode_offset_table({}), R"({"offsetTable":{}})");
}

TEST(QueueBodies, OffsetTableIsReadInEveryForm) {
    const queue_offset_table table{{queue_zero, queue_offset{5}}, {queue_one, queue_offset{-1}}};
    for (
        const std::string& body :
        {encode_offset_table(table), encode_offset_list(table),
         std::string{
             R"({"offsetTable":{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":5,"{\"brokerName\":\"b\",\"queueId\":1,\"topic\":\"T\"}":-1}})"},
         std::string{
             R"({ "offsetTable" : { { "topic" : "T" , "brokerName":"b","queueId":0 } : 5 , {"topic":"T","brokerName":"b","queueId":1}: -1 } })"}}) {
        const auto again = decode_offset_table(as_bytes(body));
        ASSERT_TRUE(again) << again.failure() << body;
        EXPECT_EQ(*again, table) << body;
    }
}

TEST(QueueBodies, NamesWithBracesAndQuotesSurviveAsKeys) {
    const queue_offset_table table{{message_queue{"T}\"{", "b\\", 0}, queue_offset{5}}};
    const auto again = decode_offset_table(as_bytes(encode_offset_table(table)));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, table);
}

TEST(QueueBodies, BadOffsetTables) {
    for (const std::string_view body :
         {R"({"offsetTable":{{"topic":"T"}:"x"}})", R"({"offsetTable":{"x":5}})",
          R"({"offsetTable":{{"topic":"T":5}})", R"({"offsetTable":5})", R"({"offsetTable":[{"offset":5}]})",
          R"({"offsetTable":{5:5}})"})
        EXPECT_FALSE(decode_offset_table(as_bytes(body))) << body;
}

TEST(QueueBodies, StoredOffsets) {
    const stored_offsets offsets{{"T@G", {{0, queue_offset{5}}, {12, queue_offset{7}}}}, {"T@H", {}}};
    const std::string body = encode_stored_offsets(offsets);
    EXPECT_EQ(body, R"({"offsetTable":{"T@G":{0:5,12:7},"T@H":{}}})");
    const auto again = decode_stored_offsets(as_bytes(body));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, (stored_offsets{{"T@G", offsets.at("T@G")}}));
    EXPECT_TRUE(decode_stored_offsets(as_bytes(R"({"offsetTable":{}})"))->empty());
    for (const char* wrong :
         {R"({"offsetTable":{"T@G":{"x":5}}})", R"({"offsetTable":{"T@G":{"0":"five"}}})", "[]"})
        EXPECT_FALSE(decode_stored_offsets(as_bytes(std::string_view{wrong}))) << wrong;
}

TEST(QueueBodies, TopicStats) {
    const topic_stats stats{
        {queue_zero,
         {.min_offset = queue_offset{1}, .max_offset = queue_offset{5}, .last_update = timestamp_ms{9}}}};
    const std::string body = encode_topic_stats(stats);
    EXPECT_EQ(
        body,
        R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":9,"maxOffset":5,"minOffset":1}}})");
    EXPECT_EQ(*decode_topic_stats(as_bytes(body)), stats);
}

TEST(QueueBodies, ConsumeStats) {
    const consume_stats stats{
        .consume_tps = 0.0,
        .queues = {{queue_zero, {.broker_offset = queue_offset{5}, .consumer_offset = queue_offset{0}}}}};
    const std::string body = encode_consume_stats(stats);
    EXPECT_EQ(
        body,
        R"({"consumeTps":0.0,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":5,"consumerOffset":0,"lastTimestamp":0}}})");
    const auto again = decode_consume_stats(as_bytes(body));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(again->queues, stats.queues);
}

} // namespace
} // namespace holdfast::protocol
