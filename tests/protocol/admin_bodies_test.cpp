#include "protocol/admin_bodies.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(AdminBodies, TopicList) {
    EXPECT_EQ(encode_topic_list({.topics = {"T"}}), R"({"topicList":["T"]})");
    const topic_list list{.topics = {"T", "U"}, .broker_address = "127.0.0.1:1"};
    EXPECT_EQ(*decode_topic_list(as_bytes(encode_topic_list(list))), list);
    EXPECT_EQ(*decode_group_list(as_bytes(encode_group_list({"G"}))), std::vector<std::string>{"G"});
}

TEST(AdminBodies, TopicConfigs) {
    const topic_config_table table{.topics = {{"T", {.name = "T"}}}};
    const std::string body = encode_topic_configs(table);
    EXPECT_EQ(
        body,
        R"({"dataVersion":{"counter":0,"timestamp":0},"topicConfigTable":{"T":{"order":false,"perm":6,"readQueueNums":16,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":16}}})");
    const auto again = decode_topic_configs(as_bytes(body));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, table);
    EXPECT_FALSE(decode_topic_configs(as_bytes(R"({"topicConfigTable":{"T":{}}})")));
    EXPECT_FALSE(decode_topic_configs(as_bytes(R"({"dataVersion":{"counter":"x"}})")));
}

TEST(AdminBodies, GroupConfigs) {
    const auto config = decode_group_config(as_bytes(
        R"({"groupName":"CG","consumeEnable":false,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,"retryQueueNums":2,"retryMaxTimes":3,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":false,"attributes":{}})"));
    ASSERT_TRUE(config) << config.failure();
    const group_config expected{.name = "CG",
                                .consume_enable = false,
                                .retry_queue_count = 2,
                                .retry_max_times = 3,
                                .notify_consumer_ids_changed = false};
    EXPECT_EQ(*config, expected);
    EXPECT_EQ(*decode_group_config(as_bytes(encode_group_config(expected))), expected);
    const group_config_table table{.version = {.counter = 1, .timestamp_ms = 2},
                                   .groups = {{"CG", expected}}};
    EXPECT_EQ(*decode_group_configs(as_bytes(encode_group_configs(table))), table);
}

TEST(AdminBodies, Connections) {
    const client_connection connection{
        .client_id = "c", .address = "127.0.0.1:5", .language = language::go, .version = 317};
    const consumer_connections all{.connections = {connection},
                                   .model = message_model::broadcasting,
                                   .subscriptions = {{"T", {.topic = "T"}}}};
    EXPECT_EQ(*decode_consumer_connections(as_bytes(encode_consumer_connections(all))), all);
    EXPECT_EQ(
        encode_producer_connections({connection}),
        R"({"connectionSet":[{"clientAddr":"127.0.0.1:5","clientId":"c","language":"GO","version":317}]})");
    EXPECT_EQ(*decode_producer_connections(as_bytes(encode_producer_connections({connection}))),
              std::vector<client_connection>{connection});
}

TEST(AdminBodies, TextTable) {
    const text_table table{{"brokerVersionDesc", "V4_9_8"}, {"putTps", "1.0 2.0 3.0"}};
    EXPECT_EQ(encode_text_table(table), R"({"table":{"brokerVersionDesc":"V4_9_8","putTps":"1.0 2.0 3.0"}})");
    EXPECT_EQ(*decode_text_table(as_bytes(encode_text_table(table))), table);
    EXPECT_FALSE(decode_text_table(as_bytes(R"({"table":{"a":5}})")));
}

TEST(AdminBodies, BadUtf8IsReplacedNotRefused) {
    EXPECT_EQ(encode_group_list({"a\xFF"}), "{\"groupList\":[\"a\xEF\xBF\xBD\"]}");
}

} // namespace
} // namespace holdfast::protocol
