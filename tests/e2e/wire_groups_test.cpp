// Queue locks, whose offsets count, and resets, frame by frame (protocol reference 3.5, 4.3, 6.9).
#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "protocol/queue_bodies.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace holdfast::e2e {
namespace {

using protocol::serialize_type;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A consumer of one topic: a connection that has joined the group under a client id.
class member {
  public:
    member(std::uint16_t port, std::string client, std::string group, std::string topic,
           serialize_type serialize = serialize_type::json)
        : connection{port, serialize},
          client_(std::move(client)),
          group_(std::move(group)),
          topic_(std::move(topic)) {
        const protocol::heartbeat beat{
            client_, {}, {{.group = group_, .subscriptions = {{.topic = topic_, .expression = "*"}}}}};
        EXPECT_EQ(connection.ask(protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)).code(), 0);
    }

    std::vector<std::int32_t> lock(const std::vector<std::int32_t>& queues) {
        const auto got = connection.ask(protocol::lock_batch_request{}, body(queues));
        EXPECT_EQ(got.code(), 0) << described(got);
        const auto locked = protocol::decode_locked_queues(got.command.body());
        EXPECT_TRUE(locked.ok());
        std::vector<std::int32_t> numbers;
        for (const auto& queue : *locked)
            numbers.push_back(queue.queue_id);
        return numbers;
    }
    void unlock(const std::vector<std::int32_t>& queues) {
        EXPECT_EQ(connection.ask(protocol::unlock_batch_request{}, body(queues)).code(), 0);
    }
    answer pull(std::int64_t offset) { return connection.ask(pull_of(topic_, offset, group_)); }
    void commit(std::int64_t offset, bool oneway = false) {
        const protocol::update_consumer_offset_request request{group_, topic_, queue_number{0},
                                                               queue_offset{offset}};
        if (oneway)
            connection.tell(request, {}, true);
        else
            EXPECT_EQ(connection.ask(request).code(), 0);
    }
    std::int64_t stored() {
        return connection.ask(protocol::query_consumer_offset_request{group_, topic_, queue_number{0}, {}})
            .number("offset");
    }

    wire_client connection;

  private:
    [[nodiscard]] std::string body(const std::vector<std::int32_t>& queues) const {
        protocol::lock_batch_body made{group_, client_, {}};
        for (const auto queue : queues)
            made.queues.push_back({topic_, "broker-a", queue});
        return protocol::encode_lock_batch(made);
    }

    std::string client_;
    std::string group_;
    std::string topic_;
};

class wire_groups : public ::testing::TestWithParam<serialize_type> {
  protected:
    member join(const std::string& client) {
        return {shared_broker().broker_port(), client, group, topic, GetParam()};
    }
    void send(int count) {
        wire_client producer{shared_broker().broker_port(), GetParam()};
        for (int i = 0; i < count; ++i)
            ASSERT_EQ(producer.send(message_to(topic, "m" + std::to_string(i))).code(), 0);
    }

    void remake_topic() {
        wire_client tool{shared_broker().broker_port(), GetParam()};
        ASSERT_EQ(tool.ask_raw(215, {{"topic", topic}}).code(), 0);
        ASSERT_EQ(tool.ask_raw(17, {{"topic", topic},
                                    {"defaultTopic", "TBW102"},
                                    {"readQueueNums", "4"},
                                    {"writeQueueNums", "4"},
                                    {"perm", "6"},
                                    {"topicFilterType", "SINGLE_TAG"}})
                      .code(),
                  0);
    }

    std::string topic = new_topic(shared_broker(), 4);
    std::string group = new_name("CID");
};

TEST_P(wire_groups, a_queue_is_locked_for_one_client_at_a_time) {
    auto a = join("a");
    auto b = join("b");
    EXPECT_THAT(a.lock({0, 1, 9}), ElementsAre(0, 1));
    EXPECT_THAT(b.lock({0, 1, 2}), ElementsAre(2));
    b.unlock({0});
    EXPECT_THAT(b.lock({0}), IsEmpty()) << "only the owner unlocks";
    a.unlock({0});
    EXPECT_THAT(b.lock({0}), ElementsAre(0));
    EXPECT_THAT(a.lock({0, 1}), ElementsAre(1));
    a.connection.close();
    EXPECT_THAT(b.lock({1}), IsEmpty()) << "it may come back and go on: its time is not over";
}

TEST_P(wire_groups, late_commits_of_the_ex_owner_are_ignored) {
    send(9);
    auto a = join("a");
    auto b = join("b");
    ASSERT_EQ(a.pull(0).code(), 0);
    a.commit(4);
    ASSERT_EQ(b.pull(4).code(), 0);
    b.commit(6);
    a.commit(5);
    EXPECT_EQ(b.stored(), 6);
    a.commit(9);
    EXPECT_EQ(b.stored(), 6);
    wire_client tool{shared_broker().broker_port(), GetParam()};
    ASSERT_EQ(
        tool.ask(protocol::update_consumer_offset_request{group, topic, queue_number{0}, queue_offset{1}})
            .code(),
        0);
    EXPECT_EQ(b.stored(), 1) << "an operator's tool may";
}

TEST_P(wire_groups, the_holder_of_the_lock_is_the_owner) {
    send(9);
    auto a = join("a");
    auto b = join("b");
    ASSERT_THAT(a.lock({0}), ElementsAre(0));
    ASSERT_EQ(a.pull(0).code(), 0);
    ASSERT_EQ(b.pull(0).code(), 0);
    b.commit(9);
    a.commit(3);
    EXPECT_EQ(a.stored(), 3);
    b.commit(9);
    EXPECT_EQ(a.stored(), 3);
    a.unlock({0});
    ASSERT_THAT(b.lock({0}), ElementsAre(0));
    a.commit(9);
    b.commit(5);
    EXPECT_EQ(b.stored(), 5);
}

TEST_P(wire_groups, a_reset_moves_a_consumer_that_waits_for_messages) {
    send(9);
    auto a = join("a");
    a.commit(9);
    auto held = pull_of(topic, 9, group);
    held.sys_flag |= protocol::pull_flag::suspend;
    held.suspend_timeout_ms = 15'000;
    const auto waiting = a.connection.tell(held);
    wire_client tool{shared_broker().broker_port(), GetParam()};
    protocol::reset_offset_request reset{.topic = topic, .group = group, .timestamp = timestamp_ms{0}};
    const auto done = tool.ask(reset);
    ASSERT_EQ(done.code(), 0) << described(done);
    const auto table = protocol::decode_offset_table(done.command.body());
    ASSERT_TRUE(table.ok());
    EXPECT_EQ(table->size(), 4U);
    for (const auto& [queue, offset] : *table)
        EXPECT_EQ(offset, queue_offset{0});
    const auto moved = a.connection.answer_to(waiting);
    EXPECT_EQ(moved.code(), 21);
    EXPECT_EQ(moved.number("nextBeginOffset"), 0);
    a.commit(9);
    EXPECT_EQ(a.stored(), 0) << "what it had on its way does not undo the reset";
    EXPECT_EQ(a.pull(0).records().size(), 9U);
    a.commit(2);
    EXPECT_EQ(a.stored(), 2);
    // By now it has been told as well (request 220), among notices of the group.
    bool told = false;
    while (const auto notice = a.connection.read(std::chrono::milliseconds{10}))
        told = told || notice->code() == 220;
    EXPECT_TRUE(told);
    reset.timestamp = timestamp_ms{-1};
    EXPECT_EQ(protocol::decode_offset_table(tool.ask(reset).command.body())->begin()->second, queue_offset{2})
        << "without force only backwards";
    reset.is_forced = true;
    EXPECT_EQ(protocol::decode_offset_table(tool.ask(reset).command.body())->begin()->second,
              queue_offset{9});
}

// A committed transaction shows the time at which it was committed, as RocketMQ's does, so times never fall
// along a queue: not even behind thousands of transactions does a search by time step over a message.
TEST_P(wire_groups, a_search_by_time_skips_nothing_because_of_a_transaction) {
    wire_client producer{shared_broker().broker_port(), GetParam()};
    auto prepared =
        message_to(topic, "transaction", property("TRAN_MSG", "true") + property("PGROUP", "PID_wire"));
    prepared.producer_group = "PID_wire";
    prepared.sys_flag = protocol::sys_flag::transaction_prepared;
    const auto half = producer.send(prepared);
    ASSERT_EQ(half.code(), 0) << described(half);
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    ASSERT_EQ(producer.send(message_to(topic, "plain")).code(), 0);
    protocol::end_transaction_request commit;
    commit.producer_group = "PID_wire";
    commit.state_table_offset = queue_offset{half.number("queueOffset")};
    commit.commit_log_offset = protocol::parse_message_id(half.field("msgId"))->position;
    commit.verdict = protocol::transaction_end::commit;
    ASSERT_EQ(producer.ask(commit).code(), 0);
    const auto all = producer.ask(pull_of(topic, 0));
    ASSERT_EQ(all.records().size(), 2U);
    const auto plain = all.records()[0].stored;
    const auto committed = all.records()[1].stored;
    ASSERT_GE(committed, plain);
    const auto at = [&](std::int64_t time) {
        return producer.ask(protocol::search_offset_request{topic, queue_number{0}, timestamp_ms{time}, {}})
            .number("offset");
    };
    EXPECT_EQ(at(plain.value()), 0);
    EXPECT_EQ(at(plain.value() + 1), committed > plain ? 1 : 2);
    EXPECT_EQ(at(committed.value() + 1), 2);
    EXPECT_EQ(at(0), 0);
}

TEST_P(wire_groups, a_topic_made_again_is_new_to_its_groups) {
    send(5);
    auto a = join("a");
    ASSERT_EQ(a.pull(0).code(), 0);
    a.commit(5);
    ASSERT_THAT(a.lock({0}), ElementsAre(0));
    remake_topic();
    a.commit(5);
    EXPECT_EQ(a.stored(), 0) << "the offset was of the old topic";
    auto b = join("b");
    EXPECT_THAT(b.lock({0}), ElementsAre(0));
}

TEST_P(wire_groups, a_consumer_that_stays_gets_every_message_of_a_topic_made_again) {
    send(3);
    auto a = join("a");
    ASSERT_EQ(a.pull(3).code(), 19);
    a.commit(3);
    remake_topic();
    send(7);
    a.commit(3, true);
    const auto moved = a.pull(3);
    EXPECT_EQ(moved.code(), 21) << described(moved);
    EXPECT_EQ(moved.number("nextBeginOffset"), 0);
    EXPECT_EQ(a.stored(), 0) << "the late commit was of the old topic";
    EXPECT_EQ(a.pull(0).records().size(), 7U);
    a.commit(7);
    EXPECT_EQ(a.stored(), 7);
}

TEST_P(wire_groups, a_consumer_that_comes_back_commits_nothing_over_the_new_owner) {
    send(9);
    auto b = join("b");
    ASSERT_EQ(b.pull(4).code(), 0);
    b.commit(6);
    wire_client back{shared_broker().broker_port(), GetParam()};
    const protocol::update_consumer_offset_request late{group, topic, queue_number{0}, queue_offset{4}};
    back.tell(late, {}, true);
    auto pull = pull_of(topic, 4, group);
    pull.sys_flag |= protocol::pull_flag::commit_offset;
    pull.commit_offset = queue_offset{4};
    ASSERT_EQ(back.ask(pull).code(), 0);
    ASSERT_EQ(back.ask(late).code(), 0) << "answered, but it has pulled for the group";
    EXPECT_EQ(b.stored(), 6);
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_groups,
                         ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& which) {
                             return which.param == serialize_type::json ? "json" : "binary";
                         });

// A lock outlives the broker: after kill -9 the queue is still its owner's, and nobody else's.
TEST(wire_groups_restart, locks_and_offsets_survive_kill_9) {
    own_broker broker;
    const auto topic = new_topic(*broker, 2);
    {
        member a{broker->broker_port(), "a", "CID", topic};
        member b{broker->broker_port(), "b", "CID", topic};
        ASSERT_THAT(a.lock({0}), ElementsAre(0));
        ASSERT_THAT(b.lock({1}), ElementsAre(1));
        b.unlock({1});
    }
    broker.kill();
    broker.restart();
    member b{broker->broker_port(), "b", "CID", topic};
    EXPECT_THAT(b.lock({0}), IsEmpty());
    member a{broker->broker_port(), "a", "CID", topic};
    EXPECT_THAT(a.lock({0, 1}), ElementsAre(0, 1));
    EXPECT_EQ(broker->terminate(patience), 0);
}

// Offsets are committed oneway and gathered for seconds: a polite end must not lose them.
TEST(wire_groups_restart, a_polite_end_stores_the_offsets_that_were_sent_oneway) {
    own_broker broker{{"--flushConsumerOffsetInterval=60000"}};
    const auto topic = new_topic(*broker);
    {
        wire_client producer{broker->broker_port()};
        for (int i = 0; i < 9; ++i)
            ASSERT_EQ(producer.send(message_to(topic, "m")).code(), 0);
        member a{broker->broker_port(), "a", "CID", topic};
        ASSERT_EQ(a.pull(0).code(), 0);
        a.commit(7, true);
        EXPECT_EQ(a.stored(), 7);
    }
    EXPECT_EQ(broker->terminate(patience), 0);
    broker.restart();
    member a{broker->broker_port(), "a", "CID", topic};
    EXPECT_EQ(a.stored(), 7);
    EXPECT_EQ(broker->terminate(patience), 0);
}

} // namespace
} // namespace holdfast::e2e
