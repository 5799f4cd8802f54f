// Heartbeats of all four clients (protocol reference 3.5, T11).
#include "protocol/heartbeat.hpp"
#include "protocol/limits.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

heartbeat must_decode(std::string_view body) {
    auto beat = decode_heartbeat(as_bytes(body));
    EXPECT_TRUE(beat.ok()) << (beat ? error{} : beat.failure());
    return beat ? *std::move(beat) : heartbeat{};
}

TEST(Heartbeat, Java) {
    const heartbeat beat = must_decode(
        R"({"clientID":"10.0.0.1@123#456","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"CG","messageModel":"BROADCASTING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[65,66],"expressionType":"TAG","subString":"A || B","subVersion":1795439569807,"tagsSet":["A","B"],"topic":"T"}],"unitMode":false}],"producerDataSet":[{"groupName":"PG"}]})");
    const heartbeat expected{.client_id = "10.0.0.1@123#456",
                             .producer_groups = {"PG"},
                             .consumers = {{.group = "CG",
                                            .model = message_model::broadcasting,
                                            .from = consume_from::first_offset,
                                            .subscriptions = {{.topic = "T",
                                                               .expression = "A || B",
                                                               .version = 1795439569807,
                                                               .tags = {"A", "B"},
                                                               .hashes = {65, 66}}}}}};
    EXPECT_EQ(beat, expected);
}

TEST(Heartbeat, T11CppIntegerEnumsTextVersionsAndMissingSets) {
    const heartbeat beat = must_decode(
        R"({"clientID":"c","consumerDataSet":[{"consumeFromWhere":4,"consumeType":1,"groupName":"CG","messageModel":0,"subscriptionDataSet":[{"subString":"*","subVersion":"1700000000000","topic":"T"}]}]})");
    ASSERT_EQ(beat.consumers.size(), 1U);
    const consumer_data& consumer = beat.consumers[0];
    EXPECT_EQ(consumer.type, consume_type::passively);
    EXPECT_EQ(consumer.model, message_model::broadcasting);
    EXPECT_EQ(consumer.from, consume_from::first_offset);
    ASSERT_EQ(consumer.subscriptions.size(), 1U);
    EXPECT_EQ(consumer.subscriptions[0].version, 1700000000000);
    EXPECT_EQ(consumer.subscriptions[0].expression_type, "TAG");
    EXPECT_TRUE(consumer.subscriptions[0].tags.empty());
    EXPECT_TRUE(beat.producer_groups.empty());
}

TEST(Heartbeat, T11GoTextCodes) {
    const heartbeat beat = must_decode(
        R"({"clientID":"c","consumerDataSet":[{"groupName":"CG","subscriptionDataSet":[{"codeSet":["65","-2147483648"],"subVersion":1,"topic":"T","expressionType":"","tagsSet":["A"]}]}],"producerDataSet":null})");
    EXPECT_EQ(beat.consumers[0].subscriptions[0].hashes, (std::vector<std::int32_t>{65, INT32_MIN}));
    EXPECT_EQ(beat.consumers[0].subscriptions[0].expression_type, "TAG");
}

TEST(Heartbeat, T11NullsForSets) {
    const heartbeat beat = must_decode(
        R"({"clientID":"c","consumerDataSet":[{"groupName":"CG","subscriptionDataSet":null,"unitMode":null},{"groupName":"CG2","subscriptionDataSet":[{"topic":"T","tagsSet":null,"codeSet":null,"subVersion":null}]}],"producerDataSet":[]})");
    EXPECT_TRUE(beat.consumers[0].subscriptions.empty());
    EXPECT_EQ(beat.consumers[1].subscriptions[0].topic, "T");
}

TEST(Heartbeat, T11UnknownEnumsAreDefaults) {
    const heartbeat beat = must_decode(
        R"({"clientID":"c","consumerDataSet":[{"groupName":"CG","consumeType":"CONSUME_NEW","messageModel":9,"consumeFromWhere":-1}],"x":{"y":1}})");
    EXPECT_EQ(beat.consumers[0].type, consume_type::passively);
    EXPECT_EQ(beat.consumers[0].model, message_model::clustering);
    EXPECT_EQ(beat.consumers[0].from, consume_from::last_offset);
}

TEST(Heartbeat, RoundTrip) {
    const heartbeat beat{
        .client_id = "c\"1",
        .producer_groups = {"PG", "PG2"},
        .consumers = {{.group = "CG",
                       .type = consume_type::actively,
                       .model = message_model::clustering,
                       .from = consume_from::timestamp,
                       .unit_mode = true,
                       .subscriptions = {{.topic = "T", .expression = "漢", .version = 5, .tags = {"漢"}}}}}};
    EXPECT_EQ(must_decode(encode_heartbeat(beat)), beat);
}

TEST(Heartbeat, WhatIsWrongIsNamed) {
    const auto message_of = [](std::string_view body) {
        const auto beat = decode_heartbeat(as_bytes(body));
        EXPECT_FALSE(beat) << body;
        return beat ? std::string{} : beat.failure().message;
    };
    EXPECT_EQ(message_of("{}"), "heartbeat: clientID is missing");
    EXPECT_EQ(message_of(""), "heartbeat: the body is not a JSON object");
    EXPECT_EQ(message_of("[]"), "heartbeat: the body is not a JSON object");
    EXPECT_EQ(message_of("{\"clientID\":\"c\""), "heartbeat: the body is not a JSON object");
    EXPECT_EQ(message_of(R"({"clientID":5})"), "heartbeat: clientID must be a text");
    EXPECT_EQ(message_of(R"({"clientID":"c","consumerDataSet":{}})"),
              "heartbeat: consumerDataSet must be an array");
    EXPECT_EQ(message_of(R"({"clientID":"c","consumerDataSet":[5]})"),
              "heartbeat, consumer: must be an object");
    EXPECT_EQ(message_of(R"({"clientID":"c","producerDataSet":[{}]})"),
              "heartbeat, producer: groupName is missing");
    EXPECT_EQ(
        message_of(
            R"({"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"T","subVersion":"x"}]}]})"),
        "subscription: subVersion must be a 64-bit integer");
    EXPECT_EQ(
        message_of(
            R"({"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"T","codeSet":[4294967296]}]}]})"),
        "subscription: codeSet must hold 32-bit integers");
}

TEST(Heartbeat, SizeAndDepthAreBounded) {
    const std::string deep = std::string{"{\"clientID\":"}.append(100000, '[');
    const auto nested = decode_heartbeat(as_bytes(deep));
    ASSERT_FALSE(nested);
    EXPECT_EQ(nested.failure().code, errc::malformed);
    const std::string large(limits::max_json_request_bytes + 1, ' ');
    const auto refused = decode_heartbeat(as_bytes(large));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.failure().code, errc::too_large);
}

TEST(Heartbeat, ClientConfigCheck) {
    const auto check = decode_client_config_check(as_bytes(
        R"({"clientId":"c","group":"CG","subscriptionData":{"expressionType":"SQL92","subString":"a > 1","topic":"T"}})"));
    ASSERT_TRUE(check) << check.failure();
    EXPECT_EQ(check->group, "CG");
    EXPECT_EQ(check->subscription.expression_type, "SQL92");
    EXPECT_EQ(check->subscription.expression, "a > 1");
    EXPECT_FALSE(decode_client_config_check(as_bytes(R"({"clientId":"c","group":"CG"})")));
}

} // namespace
} // namespace holdfast::protocol
