// Transactions, frame by frame, in both dialects, through lost decisions, dead producers and killed brokers.
// Traps are those of protocol reference 12.
#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace holdfast::e2e {
namespace {

using protocol::serialize_type;
using protocol::transaction_end;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using clock = std::chrono::steady_clock;

constexpr std::int32_t check_code = 39;

// What a producer remembers of its half message.
struct half {
    std::string topic;
    std::string key; // UNIQ_KEY
    std::string message_id;
    std::int64_t number = 0;
    log_position position;
};

// A producer of a group, as far as a socket is one.
class producer {
  public:
    producer(const testing::broker_process& broker, std::string group,
             serialize_type dialect = serialize_type::json)
        : client(broker.broker_port(), dialect), group_(std::move(group)) {}

    void join() {
        protocol::heartbeat beat;
        beat.client_id = new_name("client");
        beat.producer_groups = {group_};
        ASSERT_EQ(client.ask(protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)).code(), 0);
    }
    half prepare(const std::string& topic, std::string_view body, const std::string& more = {}) {
        half made{topic, new_name("0A000001"), {}, 0, {}};
        const auto properties = property("TRAN_MSG", "true") + property("PGROUP", group_) +
                                property("UNIQ_KEY", made.key) + property("TAGS", "TagA") + more;
        auto request = message_to(topic, body, properties);
        request.producer_group = group_;
        request.sys_flag = protocol::sys_flag::transaction_prepared;
        const auto sent = client.send(request);
        EXPECT_EQ(sent.code(), 0) << described(sent);
        made.message_id = sent.field("msgId");
        made.number = sent.number("queueOffset");
        const auto id = protocol::parse_message_id(made.message_id);
        EXPECT_TRUE(id.ok());
        made.position = id.ok() ? id->position : log_position{0};
        return made;
    }
    [[nodiscard]] protocol::end_transaction_request verdict(const half& of, transaction_end what) const {
        protocol::end_transaction_request request;
        request.producer_group = group_;
        request.state_table_offset = queue_offset{of.number};
        request.commit_log_offset = of.position;
        request.verdict = what;
        request.message_id = of.key;
        request.transaction_id = of.key;
        return request;
    }
    answer end(const half& of, transaction_end what) { return client.ask(verdict(of, what)); }
    void end_oneway(const half& of, transaction_end what) { client.tell(verdict(of, what), {}, true); }
    // The next check that comes.
    answer check() {
        auto got = client.read();
        EXPECT_TRUE(got && got->code() == check_code) << "no check came";
        return got ? std::move(*got) : answer{};
    }

    wire_client client;

  private:
    std::string group_;
};

std::vector<std::string> bodies(const testing::broker_process& broker, const std::string& topic) {
    wire_client reading{broker.broker_port()};
    std::vector<std::string> found;
    for (std::int64_t next = 0;;) {
        const auto pulled = reading.ask(pull_of(topic, next));
        const auto records = pulled.records();
        if (pulled.code() != 0 || records.empty())
            return found;
        for (const auto& record : records)
            found.emplace_back(as_text(record.body));
        next = pulled.number("nextBeginOffset");
    }
}

template <class Condition>
void eventually(Condition holds, const char* what) {
    const auto deadline = clock::now() + patience;
    while (!holds()) {
        ASSERT_LT(clock::now(), deadline) << "waited in vain for " << what;
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
}

class wire_transaction : public ::testing::TestWithParam<serialize_type> {
  protected:
    testing::broker_process& broker = shared_broker();
    std::string topic = new_topic(broker, 2);
    producer sender{broker, "PID_wire", GetParam()};

    answer by_key(const half& of) {
        return sender.client.ask_raw(12, {{"topic", of.topic},
                                          {"key", of.key},
                                          {"maxNum", "32"},
                                          {"beginTimestamp", "0"},
                                          {"endTimestamp", "9223372036854775807"},
                                          {"_UNIQUE_KEY_QUERY", "true"}});
    }
    answer by_position(const half& of) {
        return sender.client.ask_raw(33, {{"offset", std::to_string(of.position.value())}});
    }
};

// What clients do when their send back fails: they copy the message into the retry topic themselves.
TEST_P(wire_transaction, a_copy_of_one_in_a_retry_topic_is_no_half) {
    const auto group = new_name("CID");
    protocol::heartbeat beat;
    beat.client_id = new_name("client");
    beat.consumers = {{.group = group, .subscriptions = {{.topic = topic, .expression = "*"}}}};
    ASSERT_EQ(sender.client.ask(protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)).code(), 0);
    auto copy = message_to(protocol::retry_topic_of(group), "again",
                           property("TRAN_MSG", "true") + property("PGROUP", "PID_wire"));
    copy.sys_flag = protocol::sys_flag::transaction_prepared;
    const auto sent = sender.client.send(copy);
    ASSERT_EQ(sent.code(), 0) << described(sent);
    EXPECT_THAT(bodies(broker, protocol::retry_topic_of(group)), ElementsAre("again"));
}

TEST_P(wire_transaction, a_committed_half_is_a_message_like_any_other) {
    ASSERT_EQ(sender.client.send(message_to(topic, "before")).code(), 0);
    const auto made = sender.prepare(topic, "transfer");
    ASSERT_EQ(sender.client.send(message_to(topic, "between")).code(), 0);
    EXPECT_THAT(bodies(broker, topic), ElementsAre("before", "between"));
    ASSERT_EQ(sender.end(made, transaction_end::commit).code(), 0);
    const auto pulled = sender.client.ask(pull_of(topic, 2));
    const auto records = pulled.records();
    ASSERT_EQ(records.size(), 1U);
    const auto& record = records[0];
    EXPECT_EQ(as_text(record.body), "transfer");
    EXPECT_EQ(record.topic, topic);
    EXPECT_EQ(record.queue_id, 0);
    EXPECT_EQ(record.offset, queue_offset{2});
    EXPECT_EQ(record.sys_flag, 8);
    EXPECT_EQ(record.prepared_transaction_offset, static_cast<std::int64_t>(made.position.value()));
    EXPECT_TRUE(record.body_is_intact());
    EXPECT_EQ(record.property("UNIQ_KEY"), made.key);
    EXPECT_EQ(record.property("TRAN_MSG"), "true") << "T26";
    EXPECT_EQ(record.property("PGROUP"), "PID_wire");
    EXPECT_EQ(record.property("REAL_TOPIC"), topic);
    EXPECT_EQ(record.property("REAL_QID"), "0");
    EXPECT_EQ(protocol::make_message_id({0x7F000001, broker.broker_port()},
                                        log_position{static_cast<std::uint64_t>(record.physical_offset)}),
              made.message_id)
        << "the id is the one that the producer was given";
    // And by its id and its key.
    const auto viewed = by_position(made);
    ASSERT_EQ(viewed.code(), 0) << described(viewed);
    EXPECT_EQ(viewed.records().at(0).offset, queue_offset{2});
    EXPECT_EQ(viewed.records().at(0).sys_flag, 8);
    eventually([&] { return by_key(made).code() == 0; }, "the key index");
    EXPECT_EQ(as_text(by_key(made).records().at(0).body), "transfer");
}

TEST_P(wire_transaction, T25_a_half_answers_with_its_own_number_and_id) {
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(sender.client.send(message_to(topic, "plain")).code(), 0);
    const auto first = sender.prepare(topic, "one");
    const auto second = sender.prepare(topic, "two");
    EXPECT_EQ(first.number, static_cast<std::int64_t>(first.position.value()));
    EXPECT_EQ(second.number, static_cast<std::int64_t>(second.position.value()));
    EXPECT_LT(first.position, second.position);
}

TEST_P(wire_transaction, nobody_sees_undecided_and_rolled_back_halves) {
    const auto undecided = sender.prepare(topic, "undecided");
    const auto rolled_back = sender.prepare(topic, "rolled back");
    ASSERT_EQ(sender.end(rolled_back, transaction_end::rollback).code(), 0);
    const auto seen = sender.prepare(topic, "seen");
    ASSERT_EQ(sender.end(seen, transaction_end::commit).code(), 0);
    EXPECT_THAT(bodies(broker, topic), ElementsAre("seen"));
    // Once the last of the three is indexed, the first two are as well.
    eventually([&] { return by_key(seen).code() == 0; }, "the key index");
    for (const auto& hidden : {undecided, rolled_back}) {
        EXPECT_EQ(by_key(hidden).code(), 22) << hidden.key;
        EXPECT_EQ(by_position(hidden).code(), 1) << hidden.key;
    }
    ASSERT_EQ(sender.end(undecided, transaction_end::rollback).code(), 0);
}

TEST_P(wire_transaction, T8_the_first_decision_stands_however_often_it_is_said) {
    const auto committed = sender.prepare(topic, "committed");
    sender.end_oneway(committed, transaction_end::commit);
    EXPECT_EQ(sender.end(committed, transaction_end::commit).code(), 0);
    EXPECT_EQ(sender.end(committed, transaction_end::commit).code(), 0);
    auto refused = sender.end(committed, transaction_end::rollback);
    EXPECT_EQ(refused.code(), 1);
    EXPECT_THAT(std::string{refused.remark()}, HasSubstr("committed before"));
    const auto rolled_back = sender.prepare(topic, "rolled back");
    EXPECT_EQ(sender.end(rolled_back, transaction_end::rollback).code(), 0);
    EXPECT_EQ(sender.end(rolled_back, transaction_end::rollback).code(), 0);
    refused = sender.end(rolled_back, transaction_end::commit);
    EXPECT_EQ(refused.code(), 1);
    EXPECT_THAT(std::string{refused.remark()}, HasSubstr("rolled back before"));
    EXPECT_THAT(bodies(broker, topic), ElementsAre("committed"));
}

TEST_P(wire_transaction, unknown_is_never_answered_and_decides_nothing) {
    const auto made = sender.prepare(topic, "one");
    sender.client.tell(sender.verdict(made, transaction_end::unknown));
    EXPECT_EQ(sender.end(made, transaction_end::commit).code(), 0) << "the only answer that comes";
    EXPECT_FALSE(sender.client.read(std::chrono::milliseconds{50}));
    EXPECT_THAT(bodies(broker, topic), ElementsAre("one"));
}

TEST_P(wire_transaction, a_decision_that_names_something_else_is_refused) {
    const auto one = sender.prepare(topic, "one");
    const auto other = sender.prepare(topic, "other");
    ASSERT_EQ(sender.client.send(message_to(topic, "plain")).code(), 0);
    const auto refusal = [&](half of, const std::string& group = "PID_wire") {
        auto request = sender.verdict(of, transaction_end::commit);
        request.producer_group = group;
        const auto got = sender.client.ask(request);
        EXPECT_EQ(got.code(), 1);
        return std::string{got.remark()};
    };
    auto crossed = one;
    crossed.number = other.number;
    EXPECT_THAT(refusal(crossed), HasSubstr("tranStateTableOffset"));
    EXPECT_THAT(refusal(one, "PID_other"), HasSubstr("another producer group"));
    auto nowhere = one;
    nowhere.position = one.position + 1U;
    EXPECT_THAT(refusal(nowhere), HasSubstr("is not there"));
    nowhere.position = log_position{1'000'000'000'000};
    EXPECT_THAT(refusal(nowhere), HasSubstr("is not there"));
    const auto pulled = sender.client.ask(pull_of(topic, 0));
    const auto plain = pulled.records();
    ASSERT_EQ(plain.size(), 1U);
    nowhere.position = log_position{static_cast<std::uint64_t>(plain[0].physical_offset)};
    EXPECT_THAT(refusal(nowhere), HasSubstr("is not there")) << "a plain message is no half";
    // Also when the other one was decided before.
    ASSERT_EQ(sender.end(one, transaction_end::commit).code(), 0);
    EXPECT_THAT(refusal(crossed), HasSubstr("tranStateTableOffset"));
    EXPECT_THAT(refusal(one, "PID_other"), HasSubstr("another producer group"));
    EXPECT_EQ(sender.client.ask_raw(37, {{"producerGroup", "PID_wire"}}).code(), 1);
    EXPECT_EQ(sender.client
                  .ask_raw(37, {{"producerGroup", "PID_wire"},
                                {"tranStateTableOffset", "0"},
                                {"commitLogOffset", "0"},
                                {"commitOrRollback", "7"}})
                  .code(),
              1);
    EXPECT_THAT(bodies(broker, topic), ElementsAre("plain", "one"));
    ASSERT_EQ(sender.end(other, transaction_end::rollback).code(), 0);
}

TEST_P(wire_transaction, commit_and_rollback_at_once_are_decided_once) {
    producer rival{broker, "PID_wire", GetParam()};
    std::vector<std::string> expected;
    for (int round = 0; round < 50; ++round) {
        const auto made = sender.prepare(topic, "round " + std::to_string(round));
        const auto commit = sender.client.tell(sender.verdict(made, transaction_end::commit));
        const auto rollback = rival.client.tell(rival.verdict(made, transaction_end::rollback));
        const auto committed = sender.client.answer_to(commit).code();
        const auto rolled_back = rival.client.answer_to(rollback).code();
        EXPECT_EQ(std::min(committed, rolled_back), 0);
        EXPECT_EQ(std::max(committed, rolled_back), 1);
        if (committed == 0)
            expected.push_back("round " + std::to_string(round));
    }
    EXPECT_EQ(bodies(broker, topic), expected);
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_transaction,
                         ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& dialect) {
                             return dialect.param == serialize_type::json ? "json" : "binary";
                         });

// --- on a broker that asks soon
// ------------------------------------------------------------------------------------------

class transaction_checks : public ::testing::Test {
  protected:
    own_broker broker{
        {"--transactionTimeOut=200", "--transactionCheckInterval=300", "--transactionCheckMax=2"}};
    std::string topic = new_topic(*broker);
};

TEST_F(transaction_checks, T8_a_lost_decision_is_asked_for_and_made) {
    producer sender{*broker, "PID_wire"};
    sender.join();
    const auto made = sender.prepare(topic, "transfer");
    const auto check = sender.check();
    EXPECT_TRUE(check.command.is_oneway());
    EXPECT_EQ(check.number("tranStateTableOffset"), made.number);
    EXPECT_EQ(check.number("commitLogOffset"), static_cast<std::int64_t>(made.position.value()));
    EXPECT_EQ(check.field("msgId"), made.key);
    EXPECT_EQ(check.field("transactionId"), made.key);
    EXPECT_EQ(check.field("offsetMsgId"), made.message_id);
    const auto records = check.records();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(as_text(records[0].body), "transfer");
    EXPECT_EQ(records[0].topic, topic);
    EXPECT_EQ(records[0].queue_id, 0);
    EXPECT_EQ(records[0].property("PGROUP"), "PID_wire");
    EXPECT_TRUE(records[0].body_is_intact());
    auto decided = sender.verdict(made, transaction_end::commit);
    decided.from_check = true;
    sender.client.tell(decided, {}, true);
    eventually([&] { return bodies(*broker, topic) == std::vector<std::string>{"transfer"}; }, "the commit");
}

TEST_F(transaction_checks, T15_another_producer_decides_for_one_that_died) {
    producer survivor{*broker, "PID_wire"};
    half made;
    {
        producer killed{*broker, "PID_wire"};
        killed.join();
        made = killed.prepare(topic, "transfer");
        killed.client.close();
    }
    survivor.join();
    const auto check = survivor.check();
    EXPECT_EQ(check.field("msgId"), made.key);
    EXPECT_EQ(survivor.end(made, transaction_end::commit).code(), 0);
    EXPECT_THAT(bodies(*broker, topic), ElementsAre("transfer"));
}

TEST_F(transaction_checks, a_broker_killed_between_commit_and_answer_knows_what_was_decided) {
    std::vector<half> sent;
    {
        producer sender{*broker, "PID_wire"};
        for (int i = 0; i < 20; ++i)
            sent.push_back(sender.prepare(topic, std::to_string(i)));
        for (const auto& made : sent)
            sender.client.tell(sender.verdict(made, transaction_end::commit));
        ASSERT_EQ(sender.client.read()->code(), 0); // the first ones are durable, of the rest nobody knows
    }
    broker.kill();
    broker.restart();
    producer sender{*broker, "PID_wire"};
    sender.join();
    // Whatever had not been decided is asked about, and decided now; the rest is as it was.
    std::vector<std::string> expected;
    for (const auto& made : sent) {
        EXPECT_EQ(sender.end(made, transaction_end::commit).code(), 0);
        expected.push_back(std::to_string(expected.size()));
    }
    auto seen = bodies(*broker, topic);
    EXPECT_THAT(seen, ::testing::UnorderedElementsAreArray(expected)) << "each of them once";
    broker.kill();
    broker.restart();
    EXPECT_EQ(bodies(*broker, topic), seen);
}

TEST_F(transaction_checks, what_is_undecided_at_a_kill_is_asked_about_after_it) {
    half made;
    half rolled_back;
    {
        producer sender{*broker, "PID_wire"};
        made = sender.prepare(topic, "transfer");
        rolled_back = sender.prepare(topic, "rolled back");
        ASSERT_EQ(sender.end(rolled_back, transaction_end::rollback).code(), 0);
    }
    broker.kill();
    broker.restart();
    EXPECT_THAT(bodies(*broker, topic), IsEmpty());
    producer other{*broker, "PID_wire"};
    other.join();
    const auto check = other.check();
    EXPECT_EQ(check.field("msgId"), made.key);
    EXPECT_EQ(check.number("tranStateTableOffset"), made.number);
    const auto late = other.end(rolled_back, transaction_end::commit);
    EXPECT_EQ(late.code(), 1);
    EXPECT_THAT(std::string{late.remark()}, HasSubstr("rolled back before"));
    EXPECT_EQ(other.end(made, transaction_end::commit).code(), 0);
    EXPECT_THAT(bodies(*broker, topic), ElementsAre("transfer"));
}

TEST_F(transaction_checks, a_half_that_nobody_decides_ends_where_a_person_finds_it) {
    producer sender{*broker, "PID_wire"};
    sender.join();
    const auto made = sender.prepare(topic, "nobody knows");
    sender.check();
    sender.client.tell(sender.verdict(made, transaction_end::unknown), {}, true);
    sender.check();
    const std::string given_up{protocol::check_exhausted_topic};
    eventually([&] { return bodies(*broker, given_up) == std::vector<std::string>{"nobody knows"}; },
               "the half to be given up");
    EXPECT_FALSE(sender.client.read(std::chrono::milliseconds{600})) << "two checks, not three";
    const auto refused = [&](producer& by) {
        const auto late = by.end(made, transaction_end::commit);
        EXPECT_EQ(late.code(), 1);
        EXPECT_THAT(std::string{late.remark()}, HasSubstr(given_up));
    };
    refused(sender);
    EXPECT_THAT(bodies(*broker, topic), IsEmpty());
    sender.client.close();
    broker.kill();
    broker.restart();
    producer again{*broker, "PID_wire"};
    again.join();
    refused(again);
    EXPECT_FALSE(again.client.read(std::chrono::milliseconds{600}));
    EXPECT_THAT(bodies(*broker, given_up), ElementsAre("nobody knows"));
}

TEST_F(transaction_checks, a_message_says_itself_when_it_is_asked_about_first) {
    producer sender{*broker, "PID_wire"};
    sender.join();
    const auto before = clock::now();
    const auto made = sender.prepare(topic, "later", property("CHECK_IMMUNITY_TIME_IN_SECONDS", "1"));
    EXPECT_EQ(sender.check().field("msgId"), made.key);
    EXPECT_GE(clock::now() - before, std::chrono::milliseconds{1'000});
}

TEST(transaction_settings, transactional_sends_can_be_refused) {
    own_broker broker{{"--rejectTransactionMessage=true"}};
    wire_client client{broker->broker_port()};
    const auto topic = new_topic(*broker);
    const auto refused =
        client.send(message_to(topic, "half", property("TRAN_MSG", "true") + property("PGROUP", "P")));
    EXPECT_EQ(refused.code(), 16);
    EXPECT_THAT(std::string{refused.remark()}, HasSubstr("rejectTransactionMessage"));
    EXPECT_EQ(client.send(message_to(topic, "plain")).code(), 0);
}

} // namespace
} // namespace holdfast::e2e
