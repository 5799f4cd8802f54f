// Pulls, offsets and membership, frame by frame, in both dialects. Traps are those of protocol reference 12.
#include "protocol/heartbeat.hpp"
#include "protocol/queue_bodies.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace holdfast::e2e {
namespace {

using protocol::serialize_type;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using clock = std::chrono::steady_clock;
using fields = std::vector<std::pair<std::string, std::string>>;

protocol::subscription_data subscribed(const std::string& topic, std::int64_t version = 1,
                                       const std::string& expression = "*") {
    return {.topic = topic, .expression = expression, .version = version};
}

std::string beat(const std::string& client, const std::string& group,
                 std::vector<protocol::subscription_data> subscriptions) {
    return protocol::encode_heartbeat(
        {client, {}, {{.group = group, .subscriptions = std::move(subscriptions)}}});
}

class wire_consume : public ::testing::TestWithParam<serialize_type> {
  protected:
    wire_client client{shared_broker().broker_port(), GetParam()};
    std::string topic = new_topic(shared_broker());
    std::string group = new_name("CID");

    void send(int count) {
        for (int i = 0; i < count; ++i)
            ASSERT_EQ(client.send(message_to(topic, "m" + std::to_string(i))).code(), 0);
    }
    answer commit(std::int64_t offset) {
        return client.ask_raw(15, {{"consumerGroup", group},
                                   {"topic", topic},
                                   {"queueId", "0"},
                                   {"commitOffset", std::to_string(offset)}});
    }
    answer query_offset(const fields& more = {}) {
        fields all{{"consumerGroup", group}, {"topic", topic}, {"queueId", "0"}};
        all.insert(all.end(), more.begin(), more.end());
        return client.ask_raw(14, all);
    }
    std::vector<std::string> members() {
        const auto got = client.ask_raw(38, {{"consumerGroup", group}});
        if (got.code() != 0)
            return {};
        const auto ids = protocol::decode_consumer_ids(got.command.body());
        EXPECT_TRUE(ids.ok());
        return *ids;
    }
    template <class Condition>
    static void eventually(Condition holds, const char* what) {
        const auto deadline = clock::now() + patience;
        while (!holds()) {
            ASSERT_LT(clock::now(), deadline) << "waited in vain for " << what;
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
    }
};

TEST_P(wire_consume, pulls_say_where_they_stand_in_every_outcome) {
    send(3);
    const auto at = [&](std::int64_t offset) {
        auto got = client.ask(pull_of(topic, offset));
        EXPECT_EQ(got.number("minOffset"), 0);
        EXPECT_EQ(got.number("maxOffset"), 3);
        EXPECT_EQ(got.number("suggestWhichBrokerId"), 0);
        return std::pair{got.code(), got.number("nextBeginOffset")};
    };
    EXPECT_EQ(at(0), (std::pair{0, std::int64_t{3}}));
    EXPECT_EQ(at(3), (std::pair{19, std::int64_t{3}}));
    EXPECT_EQ(at(4), (std::pair{21, std::int64_t{0}})) << "it comes from no place in this queue";
    EXPECT_EQ(at(-1), (std::pair{21, std::int64_t{0}}));
}

TEST_P(wire_consume, pulls_that_make_no_sense_are_refused_in_words) {
    const auto code_of = [&](const protocol::pull_message_request& pull) {
        const auto got = client.ask(pull);
        EXPECT_NE(got.remark(), "");
        return got.code();
    };
    EXPECT_EQ(code_of(pull_of(new_name("missing"), 0)), 17);
    EXPECT_EQ(code_of(pull_of(new_topic(shared_broker(), 1, 2), 0)), 16) << "write-only";
    auto wrong_queue = pull_of(topic, 0);
    wrong_queue.queue = queue_number{1};
    EXPECT_EQ(code_of(wrong_queue), 1);
    auto unregistered = pull_of(topic, 0, group);
    unregistered.sys_flag = 0;
    EXPECT_EQ(code_of(unregistered), 24);
    auto sql = pull_of(topic, 0);
    sql.expression_type = "SQL92";
    sql.subscription = "a > 5";
    EXPECT_EQ(code_of(sql), 1);
    auto greedy = pull_of(topic, 0);
    greedy.max_messages = std::numeric_limits<std::int32_t>::max();
    EXPECT_EQ(client.ask(greedy).code(), 19) << "clamped";
    greedy.max_messages = -5;
    EXPECT_EQ(client.ask(greedy).code(), 19);
}

TEST_P(wire_consume, T1_a_new_group_begins_at_0_and_22_means_nothing_stored) {
    EXPECT_EQ(query_offset().number("offset"), 0) << "on a young queue nothing may be skipped";
    EXPECT_EQ(query_offset({{"setZeroIfNotFound", "false"}}).code(), 22);
    send(3);
    ASSERT_EQ(commit(2).code(), 0);
    EXPECT_EQ(query_offset().number("offset"), 2);
    ASSERT_EQ(commit(1).code(), 0);
    EXPECT_EQ(query_offset().number("offset"), 1) << "lowering is a reset";
    EXPECT_NE(commit(-1).code(), 0);
    EXPECT_EQ(query_offset().number("offset"), 1);
}

TEST_P(wire_consume, T3_ends_and_times_are_those_of_what_was_answered) {
    const fields queue{{"topic", topic}, {"queueId", "0"}};
    EXPECT_EQ(client.ask_raw(30, queue).number("offset"), 0);
    EXPECT_EQ(client.ask_raw(32, queue).number("timestamp"), -1);
    for (std::int64_t sent = 1; sent <= 5; ++sent) {
        ASSERT_EQ(client.send(message_to(topic, "x")).code(), 0);
        EXPECT_EQ(client.ask_raw(30, queue).number("offset"), sent);
    }
    EXPECT_EQ(client.ask_raw(31, queue).number("offset"), 0);
    const fields nowhere{{"topic", new_name("missing")}, {"queueId", "0"}};
    EXPECT_EQ(client.ask_raw(30, nowhere).number("offset"), 0);
    EXPECT_EQ(client.ask_raw(31, nowhere).number("offset"), -1);
    const auto pulled = client.ask(pull_of(topic, 0));
    const auto records = pulled.records();
    ASSERT_EQ(records.size(), 5U);
    EXPECT_EQ(client.ask_raw(32, queue).number("timestamp"), records[0].stored.value());
    const auto search = [&](std::int64_t time) {
        auto all = queue;
        all.emplace_back("timestamp", std::to_string(time));
        return client.ask_raw(29, all).number("offset");
    };
    for (const auto& record : records) {
        const auto first = std::find_if(records.begin(), records.end(),
                                        [&](const auto& other) { return other.stored == record.stored; });
        EXPECT_EQ(search(record.stored.value()), first->offset.value());
    }
    EXPECT_EQ(search(0), 0);
    EXPECT_EQ(search(records.back().stored.value() + 1), 5);
}

TEST_P(wire_consume, T11_heartbeats_of_every_client_are_understood) {
    const std::string name = "\"groupName\":\"" + group + "\"";
    const std::string on = "\"topic\":\"" + topic + "\"";
    const std::vector<std::string> dialects{
        // C++: ordinals, the version as text, sets missing
        R"({"clientID":"cpp","consumerDataSet":[{"consumeFromWhere":0,"consumeType":1,)" + name +
            R"(,"messageModel":1,"subscriptionDataSet":[{"subString":"*","subVersion":"1795439569807",)" +
            on + R"(}]}],"producerDataSet":[]})",
        // Go: hashes as texts, nulls for sets
        R"({"clientID":"go","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY",)" +
            name +
            R"(,"messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":["2598919"],"expressionType":"TAG","subString":"TagA","subVersion":2,"tagsSet":null,)" +
            on + R"(}],"unitMode":false}],"producerDataSet":null})",
        // 5.x Java: keys from the future
        R"({"clientID":"java","heartbeatFingerprint":5,"withoutSub":false,"consumerDataSet":[{"consumeType":"CONSUME_PASSIVELY",)" +
            name + R"(,"messageModel":"CLUSTERING","subscriptionDataSet":[]}]})"};
    std::vector<wire_client> connections;
    for (const auto& body : dialects) {
        connections.emplace_back(shared_broker().broker_port(), GetParam());
        const auto got = connections.back().ask_raw(34, {}, body);
        EXPECT_EQ(got.code(), 0) << body << ": " << described(got);
    }
    EXPECT_THAT(members(), UnorderedElementsAre("cpp", "go", "java"));
    EXPECT_EQ(client.ask_raw(34, {}, "{\"clientID\":").code(), 1) << "and nonsense is refused, not fatal";
    EXPECT_EQ(members().size(), 3U);
}

TEST_P(wire_consume, T14_the_retry_topic_is_there_as_soon_as_the_group_beats) {
    EXPECT_EQ(client.ask_raw(105, {{"topic", "%RETRY%" + group}}).code(), 17);
    ASSERT_EQ(client.ask_raw(34, {}, beat("c1", group, {subscribed(topic)})).code(), 0);
    const auto route = client.ask_raw(105, {{"topic", "%RETRY%" + group}});
    EXPECT_EQ(route.code(), 0);
    EXPECT_THAT(route.body(), HasSubstr("\"perm\":6,\"readQueueNums\":1"));
}

TEST_P(wire_consume, T15_membership_ends_with_the_connection_and_the_others_hear_it) {
    wire_client second{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(client.ask_raw(34, {}, beat("c1", group, {subscribed(topic)})).code(), 0);
    ASSERT_EQ(second.ask_raw(34, {}, beat("c2", group, {subscribed(topic)})).code(), 0);
    EXPECT_THAT(members(), UnorderedElementsAre("c1", "c2"));
    const auto notices = [&](std::size_t wanted) {
        while (wanted > 0) {
            const auto notice = client.read();
            ASSERT_TRUE(notice);
            EXPECT_EQ(notice->code(), 40);
            EXPECT_TRUE(notice->command.is_oneway());
            EXPECT_EQ(notice->field("consumerGroup"), group);
            --wanted;
        }
    };
    notices(2); // its own joining and the other's
    second.close();
    notices(1);
    EXPECT_THAT(members(), UnorderedElementsAre("c1"));
    EXPECT_EQ(
        client.ask_raw(35, {{"clientID", "c1"}, {"producerGroup", ""}, {"consumerGroup", group}}).code(), 0);
    eventually([&] { return client.ask_raw(38, {{"consumerGroup", group}}).code() == 1; }, "the empty group");
}

TEST_P(wire_consume, T16_a_connection_carries_many_groups) {
    const auto other = new_name("CID");
    protocol::heartbeat both{"c1", {"PID_a", "PID_b"}, {}};
    both.consumers = {{.group = group, .subscriptions = {subscribed(topic)}},
                      {.group = other, .subscriptions = {subscribed(topic)}}};
    wire_client many{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(many.ask_raw(34, {}, protocol::encode_heartbeat(both)).code(), 0);
    EXPECT_EQ(members().size(), 1U);
    EXPECT_EQ(client.ask_raw(38, {{"consumerGroup", other}}).code(), 0);
    EXPECT_EQ(many.ask_raw(35, {{"clientID", "c1"}, {"consumerGroup", group}}).code(), 0);
    eventually([&] { return members().empty(); }, "the group that was left");
    EXPECT_EQ(client.ask_raw(38, {{"consumerGroup", other}}).code(), 0) << "the other stays";
    many.close();
    eventually(
        [&] {
            return client.ask_raw(38, {{"consumerGroup", other}}).code() == 1;
        },
        "the other group's end");
}

TEST_P(wire_consume, T17_a_heartbeat_replaces_the_groups_subscriptions) {
    const auto second_topic = new_topic(shared_broker());
    send(1);
    auto pull = pull_of(topic, 0, group);
    pull.sys_flag = 0;
    pull.subscription_version = 5;
    ASSERT_EQ(
        client.ask_raw(34, {}, beat("c1", group, {subscribed(topic, 5), subscribed(second_topic, 5)})).code(),
        0);
    EXPECT_EQ(client.ask(pull).code(), 0);
    pull.subscription_version = 6;
    EXPECT_EQ(client.ask(pull).code(), 25) << "the pull knows a newer one";
    ASSERT_EQ(client
                  .ask_raw(34, {},
                           beat("c1", group, {subscribed(topic, 4, "nothing"), subscribed(second_topic, 5)}))
                  .code(),
              0);
    pull.subscription_version = 5;
    EXPECT_EQ(client.ask(pull).code(), 0) << "an older one does not replace a newer one";
    ASSERT_EQ(client.ask_raw(34, {}, beat("c1", group, {subscribed(second_topic, 5)})).code(), 0);
    EXPECT_EQ(client.ask(pull).code(), 24) << "a topic that is absent is no longer subscribed";
}

TEST_P(wire_consume, T18_a_held_pull_is_answered_once_under_its_own_opaque) {
    auto pull = pull_of(topic, 0, group);
    pull.sys_flag |= protocol::pull_flag::suspend;
    pull.suspend_timeout_ms = std::numeric_limits<std::int64_t>::max();
    const auto opaque = client.tell(pull);
    EXPECT_EQ(client.read(std::chrono::milliseconds{50}), std::nullopt);
    wire_client producer{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(producer.send(message_to(topic, "woken")).code(), 0);
    const auto got = client.answer_to(opaque);
    EXPECT_EQ(got.code(), 0);
    EXPECT_EQ(as_text(got.records().at(0).body), "woken");
    ASSERT_EQ(producer.send(message_to(topic, "more")).code(), 0);
    EXPECT_EQ(client.read(std::chrono::milliseconds{100}), std::nullopt) << "answered twice";
}

TEST_P(wire_consume, T18_the_hold_ends_when_the_client_said) {
    auto pull = pull_of(topic, 0, group);
    pull.sys_flag |= protocol::pull_flag::suspend;
    pull.suspend_timeout_ms = 300;
    const auto begun = clock::now();
    EXPECT_EQ(client.ask(pull).code(), 19);
    EXPECT_GE(clock::now() - begun, std::chrono::milliseconds{250});
    EXPECT_LT(clock::now() - begun, std::chrono::seconds{5});
}

TEST_P(wire_consume, T18_a_held_pull_stores_its_commit_once) {
    send(3);
    auto pull = pull_of(topic, 3, group);
    pull.sys_flag |= protocol::pull_flag::suspend | protocol::pull_flag::commit_offset;
    pull.commit_offset = queue_offset{3};
    pull.suspend_timeout_ms = 15'000;
    const auto opaque = client.tell(pull);
    ASSERT_EQ(commit(1).code(), 0); // a reset, after the pull
    wire_client producer{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(producer.send(message_to(topic, "woken")).code(), 0);
    EXPECT_EQ(client.answer_to(opaque).code(), 0);
    EXPECT_EQ(query_offset().number("offset"), 1);
}

TEST_P(wire_consume, T18_held_pulls_of_closed_connections_are_dropped) {
    auto pull = pull_of(topic, 0, group);
    pull.sys_flag |= protocol::pull_flag::suspend;
    pull.suspend_timeout_ms = 15'000;
    for (int i = 0; i < 20; ++i) {
        wire_client gone{shared_broker().broker_port(), GetParam()};
        gone.tell(pull);
    }
    send(2);
    EXPECT_EQ(client.ask(pull_of(topic, 0)).records().size(), 2U);
}

TEST_P(wire_consume, T18_a_filtered_pull_wakes_for_its_tag_or_moves_on) {
    auto pull = pull_of(topic, 0, group);
    pull.sys_flag |= protocol::pull_flag::suspend;
    pull.suspend_timeout_ms = 15'000;
    pull.subscription = "TagA";
    const auto opaque = client.tell(pull);
    wire_client producer{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(producer.send(message_to(topic, "b", property("TAGS", "TagB"))).code(), 0);
    const auto skipped = client.answer_to(opaque);
    EXPECT_EQ(skipped.code(), 20);
    EXPECT_EQ(skipped.number("nextBeginOffset"), 1);
}

// Trap T1: as long as a stored offset can't be read there is no answer. T2, T3: the ends are never wrong for
// a moment. T5: a message id leads to its message. So the very first answers after a crash must be right.
TEST(wire_restart, T1_T2_T3_T5_the_first_answers_after_kill_9_are_the_right_ones) {
    own_broker broker;
    const auto topic = new_topic(*broker);
    std::string id;
    {
        wire_client client{broker->broker_port()};
        for (int i = 0; i < 10; ++i)
            id = client.send(message_to(topic, "m" + std::to_string(i))).field("msgId");
        ASSERT_EQ(
            client
                .ask_raw(
                    15, {{"consumerGroup", "CID"}, {"topic", topic}, {"queueId", "0"}, {"commitOffset", "7"}})
                .code(),
            0);
    }
    const auto port = broker->broker_port();
    broker.kill();
    std::thread asking{[&] {
        const auto deadline = clock::now() + patience;
        while (clock::now() < deadline) {
            wire_client client{port};
            if (!client.is_connected())
                continue;
            const fields queue{{"consumerGroup", "CID"}, {"topic", topic}, {"queueId", "0"}};
            EXPECT_EQ(client.ask_raw(14, queue).number("offset"), 7);
            EXPECT_EQ(client.ask_raw(30, queue).number("offset"), 10);
            const auto at_the_end = client.ask(pull_of(topic, 10));
            EXPECT_EQ(at_the_end.code(), 19) << described(at_the_end);
            EXPECT_EQ(client.ask(pull_of(topic, 7)).records().size(), 3U);
            const auto viewed =
                client.ask_raw(33, {{"offset", std::to_string(std::stoull(id.substr(16), nullptr, 16))}});
            EXPECT_EQ(viewed.code(), 0) << described(viewed);
            if (viewed.code() == 0) {
                EXPECT_EQ(as_text(viewed.records().at(0).body), "m9");
            }
            return;
        }
        ADD_FAILURE() << "never connected";
    }};
    broker.restart();
    asking.join();
    EXPECT_EQ(broker->terminate(patience), 0);
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_consume,
                         ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& which) {
                             return which.param == serialize_type::json ? "json" : "binary";
                         });

} // namespace
} // namespace holdfast::e2e
