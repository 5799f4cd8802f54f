// Messages that consumers send back (36) and delayed ones that are called back (370), frame by frame, in both
// dialects. Traps are those of protocol reference 12.
#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace holdfast::e2e {
namespace {

using protocol::serialize_type;
using ::testing::HasSubstr;

constexpr std::int32_t group_not_exist = 26;
constexpr std::int32_t illegal_operation = 604;

class wire_retry : public ::testing::TestWithParam<serialize_type> {
  protected:
    void SetUp() override {
        topic = new_topic(shared_broker());
        group = new_name("CID_retry");
        const protocol::heartbeat beat{
            new_name("client"), {}, {{.group = group, .subscriptions = {{.topic = topic}}}}};
        ASSERT_EQ(client.ask(protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)).code(), 0);
    }
    static log_position position_of(const answer& sent) {
        EXPECT_EQ(sent.code(), 0) << described(sent);
        const auto id = protocol::parse_message_id(sent.field("msgId"));
        EXPECT_TRUE(id.ok());
        return id.ok() ? id->position : log_position{0};
    }
    answer send_back(log_position position, std::int32_t level) {
        protocol::consumer_send_message_back_request request;
        request.offset = position;
        request.group = group;
        request.delay_level = level;
        request.origin_topic = topic;
        request.max_reconsume_times = -1;
        return client.ask(request);
    }
    // The first record of the topic's queue 0 from `offset` on, once there is one.
    answer first_of(const std::string& name, std::int64_t offset = 0) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        auto got = client.ask(pull_of(name, offset, group));
        while (got.records().empty() && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
            got = client.ask(pull_of(name, offset, group));
        }
        EXPECT_FALSE(got.records().empty()) << name << ": " << described(got);
        return got;
    }
    answer recall(std::string_view handle, std::string_view of) {
        protocol::recall_message_request request;
        request.topic = of;
        request.recall_handle = handle;
        return client.ask(request);
    }

    wire_client client{shared_broker().broker_port(), GetParam()};
    std::string topic;
    std::string group;
};

TEST_P(wire_retry, a_message_that_is_sent_back_comes_again_after_its_delay) {
    const auto sent = client.send(message_to(topic, "again", property("KEYS", "k")));
    const auto answered = send_back(position_of(sent), 1);
    EXPECT_EQ(answered.code(), 0) << described(answered);
    EXPECT_EQ(answered.command.serialize(), GetParam());
    const auto got = first_of("%RETRY%" + group);
    const auto records = got.records();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(as_text(records[0].body), "again");
    EXPECT_EQ(records[0].reconsume_times, 1);
    EXPECT_EQ(records[0].property("RETRY_TOPIC"), topic);
    EXPECT_EQ(records[0].property("ORIGIN_MESSAGE_ID"), sent.field("msgId"));
    EXPECT_EQ(records[0].property("KEYS"), "k");
    // T5: what came from the retry topic is sent back by its own position.
    EXPECT_EQ(send_back(log_position{static_cast<std::uint64_t>(records[0].physical_offset)}, -1).code(), 0);
    EXPECT_EQ(first_of("%DLQ%" + group).records()[0].reconsume_times, 2);
}

TEST_P(wire_retry, T20_the_message_with_the_largest_properties_can_be_sent_back_and_become_a_dead_letter) {
    const auto largest = property("p", std::string(32767 - 512 - 3, 'v'));
    const auto position = position_of(client.send(message_to(topic, "large", largest)));
    for (const std::int32_t level : {1, -1}) {
        const auto answered = send_back(position, level);
        EXPECT_EQ(answered.code(), 0) << described(answered);
    }
    for (const auto* const prefix : {"%DLQ%", "%RETRY%"}) {
        const auto got = first_of(prefix + group);
        ASSERT_EQ(got.records().size(), 1U);
        EXPECT_EQ(got.records()[0].property("RETRY_TOPIC"), topic);
        EXPECT_EQ(got.records()[0].property("p")->size(), 32767U - 512 - 3);
    }
}

TEST_P(wire_retry, what_can_not_be_sent_back_is_refused_with_its_reason) {
    const auto position = position_of(client.send(message_to(topic, "x")));
    const auto nothing_there = send_back(position + 1, 1);
    EXPECT_EQ(nothing_there.code(), 1);
    EXPECT_THAT(nothing_there.remark(), HasSubstr(std::to_string((position + 1).value())));
    group = "CID_nobody_has_heard_of";
    const auto refused = send_back(position, 1);
    EXPECT_EQ(refused.code(), group_not_exist);
    EXPECT_THAT(refused.remark(), HasSubstr(group));
    EXPECT_EQ(client.ask_raw(36, {{"group", group}, {"delayLevel", "0"}}).code(), 1) << "no offset";
}

TEST_P(wire_retry, a_delayed_message_is_called_back_once_and_only_while_it_waits) {
    const auto delayed = [&](const std::string& key, const std::string& delay_ms) {
        return client.send(
            message_to(topic, key, property("UNIQ_KEY", key) + property("TIMER_DELAY_MS", delay_ms)));
    };
    const auto key = new_name("UNIQUE");
    const auto handle = delayed(key, "600000").field("recallHandle");
    ASSERT_FALSE(handle.empty());
    const auto foreign = recall(handle, "another_topic");
    EXPECT_EQ(foreign.code(), illegal_operation) << described(foreign);
    EXPECT_EQ(recall("nonsense", topic).code(), illegal_operation);
    const auto recalled = recall(handle, topic);
    EXPECT_EQ(recalled.code(), 0) << described(recalled);
    EXPECT_EQ(recalled.field("msgId"), key);
    EXPECT_EQ(recalled.command.serialize(), GetParam());
    EXPECT_EQ(recall(handle, topic).code(), 1) << "once";
    const auto soon = new_name("UNIQUE");
    const auto handle_of_soon = delayed(soon, "100").field("recallHandle");
    EXPECT_EQ(as_text(first_of(topic).records().at(0).body), soon);
    const auto too_late = recall(handle_of_soon, topic);
    EXPECT_EQ(too_late.code(), 1) << described(too_late);
    EXPECT_THAT(too_late.remark(), HasSubstr("delivered"));
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_retry,
                         ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& which) {
                             return which.param == serialize_type::json ? "json" : "binary";
                         });

} // namespace
} // namespace holdfast::e2e
