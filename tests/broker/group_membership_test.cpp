#include "broker/group_membership.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

constexpr connection_id first{1};
constexpr connection_id second{2};
constexpr timestamp_ms noon{1'000'000};

protocol::subscription_data subscription(std::string topic, std::string expression, std::int64_t version) {
    protocol::subscription_data data;
    data.topic = std::move(topic);
    data.expression = std::move(expression);
    data.version = version;
    return data;
}

protocol::consumer_data consumer(std::vector<protocol::subscription_data> subscriptions) {
    protocol::consumer_data data;
    data.group = "g";
    data.subscriptions = std::move(subscriptions);
    return data;
}

TEST(group_membership, a_first_heartbeat_makes_everybody_rebalance_a_repeated_one_nobody) {
    group_membership group;
    const auto joined = group.heard(first, "c1", consumer({subscription("T", "*", 1)}), noon);
    EXPECT_TRUE(joined.members);
    EXPECT_TRUE(joined.topics);
    EXPECT_TRUE(joined.rebalance());
    const auto again = group.heard(first, "c1", consumer({subscription("T", "*", 1)}), noon + 30'000);
    EXPECT_FALSE(again.any());
    EXPECT_EQ(group.members().at(first), "c1");
}

TEST(group_membership, says_how_its_last_heartbeat_consumes) {
    group_membership group;
    auto data = consumer({});
    data.type = protocol::consume_type::actively;
    data.model = protocol::message_model::broadcasting;
    data.from = protocol::consume_from::first_offset;
    group.heard(first, "c1", data, noon);
    EXPECT_EQ(group.type(), protocol::consume_type::actively);
    EXPECT_EQ(group.model(), protocol::message_model::broadcasting);
    EXPECT_EQ(group.from(), protocol::consume_from::first_offset);
}

TEST(group_membership, T15_membership_ends_with_the_connection) {
    group_membership group;
    group.heard(first, "c1", consumer({}), noon);
    group.heard(second, "c2", consumer({}), noon);
    EXPECT_TRUE(group.left(first).rebalance());
    EXPECT_EQ(group.members().size(), 1U);
    EXPECT_FALSE(group.left(first).any()) << "gone already";
}

TEST(group_membership, T16_members_are_keyed_by_connection_not_by_client_id) {
    group_membership group;
    EXPECT_TRUE(group.heard(first, "same", consumer({}), noon).members);
    EXPECT_TRUE(group.heard(second, "same", consumer({}), noon).members);
    EXPECT_EQ(group.members().size(), 2U);
    group.left(first);
    EXPECT_EQ(group.members().size(), 1U);
    EXPECT_EQ(group.members().begin()->first, second);
}

TEST(group_membership, T17_a_heartbeat_replaces_the_whole_subscription_set) {
    group_membership group;
    group.heard(first, "c1", consumer({subscription("T", "*", 1), subscription("U", "A", 1)}), noon);
    const auto change = group.heard(second, "c2", consumer({subscription("T", "*", 1)}), noon);
    EXPECT_TRUE(change.topics) << "U is dropped";
    EXPECT_FALSE(group.subscriptions().contains("U"));
    EXPECT_TRUE(group.subscriptions().contains("T"));
}

TEST(group_membership, T17_the_newest_version_of_a_subscription_wins) {
    group_membership group;
    group.heard(first, "c1", consumer({subscription("T", "A", 5)}), noon);
    const auto older = group.heard(second, "c2", consumer({subscription("T", "B", 4)}), noon);
    EXPECT_FALSE(older.subscriptions);
    EXPECT_EQ(group.subscriptions().at("T").data.expression, "A");
    const auto newer = group.heard(second, "c2", consumer({subscription("T", "B", 6)}), noon);
    EXPECT_TRUE(newer.subscriptions);
    EXPECT_FALSE(newer.rebalance()) << "the same topics, the same members";
    const auto& filter = group.subscriptions().at("T").filter;
    EXPECT_TRUE(filter.matches(protocol::java_hash("B")));
    EXPECT_FALSE(filter.matches(protocol::java_hash("A")));
}

// A consumer that comes back with another expression and a slower clock must not be filtered by what its
// group wanted before: the messages would be skipped for good.
TEST(group_membership, a_group_that_everybody_left_starts_afresh) {
    group_membership group;
    group.heard(first, "c1", consumer({subscription("T", "A", 5)}), noon);
    group.left(first);
    group.heard(second, "c2", consumer({subscription("T", "B", 4)}), noon);
    EXPECT_EQ(group.subscriptions().at("T").data.expression, "B");
    EXPECT_EQ(group.expire(noon + 1).size(), 1U);
    group.heard(first, "c3", consumer({subscription("T", "C", 3)}), noon);
    EXPECT_EQ(group.subscriptions().at("T").data.expression, "C");
}

// Clients filter again by text, so nothing may be held back because the broker can't read an expression.
TEST(group_membership, an_unreadable_expression_selects_everything) {
    group_membership group;
    group.heard(first, "c1", consumer({subscription("T", "||", 1)}), noon);
    EXPECT_TRUE(group.subscriptions().at("T").filter.selects_all());
}

TEST(group_membership, forgets_who_fell_silent_and_nobody_else) {
    group_membership group;
    group.heard(first, "c1", consumer({}), noon);
    group.heard(second, "c2", consumer({}), noon + 60'000);
    EXPECT_TRUE(group.expire(noon).empty()) << "heard at that very moment";
    EXPECT_EQ(group.expire(noon + 1), std::vector{first});
    EXPECT_EQ(group.members().size(), 1U);
    group.heard(second, "c2", consumer({}), noon + 120'000);
    EXPECT_TRUE(group.expire(noon + 60'001).empty()) << "a heartbeat counts from its own time";
}

// The dialects of the stock clients (T11), as they come out of the wire's decoder.
TEST(group_membership, takes_the_heartbeats_of_every_client) {
    const auto java = protocol::decode_heartbeat(as_bytes(
        R"({"clientID":"j","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[65],"expressionType":"TAG","subString":"A","subVersion":1,"tagsSet":["A"],"topic":"T"}],"unitMode":false}],"producerDataSet":[]})"));
    const auto cpp = protocol::decode_heartbeat(as_bytes(
        R"({"clientID":"c","consumerDataSet":[{"consumeFromWhere":0,"consumeType":1,"groupName":"g","messageModel":1,"subscriptionDataSet":[{"subString":"A","subVersion":"2","topic":"T"}]}]})"));
    const auto go = protocol::decode_heartbeat(as_bytes(
        R"({"clientID":"g","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":["65"],"expressionType":"TAG","subString":"A","subVersion":3,"tagsSet":["A"],"topic":"T"}],"unitMode":false}],"producerDataSet":null})"));
    group_membership group;
    std::uint64_t connection = 0;
    for (const auto* const beat : {&java, &cpp, &go}) {
        ASSERT_TRUE(beat->ok());
        ASSERT_EQ((*beat)->consumers.size(), 1U);
        group.heard(connection_id{++connection}, (*beat)->client_id, (*beat)->consumers[0], noon);
        EXPECT_EQ(group.type(), protocol::consume_type::passively);
        EXPECT_EQ(group.model(), protocol::message_model::clustering);
        EXPECT_TRUE(group.subscriptions().at("T").filter.matches(protocol::java_hash("A")));
        EXPECT_FALSE(group.subscriptions().at("T").filter.selects_all());
    }
    EXPECT_EQ(group.subscriptions().at("T").data.version, 3);
    EXPECT_EQ(group.members().size(), 3U);
}

} // namespace
} // namespace holdfast::broker
