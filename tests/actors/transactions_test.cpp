// Halves, decisions and checks of transactions, on virtual time. Traps are those of protocol reference 12.
#include "tests/actors/fixture.hpp"

#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"

#include <gmock/gmock.h>

namespace holdfast::actors::testing {
namespace {

using namespace std::chrono_literals;
using protocol::request_code;
using protocol::response_code;
using protocol::transaction_end;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int32_t code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}
constexpr auto check_code = static_cast<std::int32_t>(request_code::check_transaction_state);

// What a producer knows of its half.
struct sent_half {
    log_position position;
    queue_offset number;
    std::string message_id;
};

class transactions : public actor_fixture {
  protected:
    void SetUp() override {
        config.transaction_timeout = 1'000ms;
        config.transaction_check_interval = 2'000ms;
        config.transaction_check_max = 2;
        log_settings.transaction_timeout = config.transaction_timeout;
        lead();
        make_topic("T");
        make_topic(std::string{protocol::check_exhausted_topic}, 1);
        session = producer(connection);
        beats = consumer(connection);
    }

    static std::string properties(const std::string& more = {}) {
        std::string text;
        protocol::append_property(text, protocol::property::transaction_message, "true");
        protocol::append_property(text, protocol::property::producer_group, "producers");
        protocol::append_property(text, protocol::property::unique_key, "UNIQUE");
        return text + more;
    }
    sent_half send_half(std::string_view body, std::int32_t queue = 0, const std::string& more = {}) {
        const auto text = properties(more);
        auto request = send_of("T", body, queue);
        request.properties = text;
        request.sys_flag = protocol::sys_flag::transaction_prepared;
        deliver(session, incoming{}.send(1, request));
        flush_all();
        const auto answer = connection->only();
        EXPECT_EQ(answer.code, 0) << answer.remark;
        const auto id = protocol::parse_message_id(answer.fields.at("msgId"));
        EXPECT_TRUE(id.ok());
        return {id->position, queue_offset{answer.number("queueOffset")}, answer.fields.at("msgId")};
    }

    static protocol::end_transaction_request verdict(const sent_half& half, transaction_end verdict) {
        protocol::end_transaction_request request;
        request.producer_group = "producers";
        request.state_table_offset = half.number;
        request.commit_log_offset = half.position;
        request.verdict = verdict;
        request.message_id = "UNIQUE";
        request.transaction_id = "UNIQUE";
        return request;
    }
    void end(const protocol::end_transaction_request& request, bool oneway) {
        deliver(session, incoming{}.add(2, request, {}, oneway));
        flush_all();
    }
    void commit(const sent_half& half) { end(verdict(half, transaction_end::commit), true); }

    void heartbeat(const consumer_session_actor& from, const fake_connection_ptr& over,
                   const std::vector<std::string>& names = {"producers"}) {
        protocol::heartbeat beat;
        beat.client_id = "client-" + over->peer().text;
        beat.producer_groups = names;
        deliver(from, incoming{}.add(9, protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)));
        EXPECT_EQ(over->only().code, 0);
    }
    // Lets time pass and the disk do its work.
    void pass(std::chrono::milliseconds time) {
        for (; time > 0ms; time -= 50ms) {
            advance(std::min(time, 50ms));
            flush_all();
        }
    }
    // The bodies of the queue as a consumer sees them.
    sent_frame pull(const std::string& topic, std::int64_t offset = 0) {
        const auto reading = connect();
        auto request = pull_of(topic, offset);
        request.sys_flag = protocol::pull_flag::subscription;
        deliver(consumer(reading), incoming{}.add(3, request));
        return reading->only();
    }
    std::vector<std::string> bodies(const std::string& topic) {
        const auto answer = pull(topic);
        std::vector<std::string> found;
        for (const auto& message : answer.messages())
            found.emplace_back(as_text(message.body));
        return found;
    }
    [[nodiscard]] std::size_t checks_logged(broker::half_check_kind kind) const {
        std::size_t count = 0;
        for (const auto& payload : logged(broker::command_kind::half_checks)) {
            const auto checks = broker::decode_half_checks(as_bytes(payload));
            EXPECT_TRUE(checks.ok());
            for (const auto& check : *checks)
                count += check.kind == kind ? 1 : 0;
        }
        return count;
    }

    fake_connection_ptr connection = connect();
    producer_session_actor session;
    consumer_session_actor beats;
};

TEST_F(transactions, a_committed_half_is_a_message_of_its_queue) {
    const auto half = send_half("transfer", 2);
    EXPECT_EQ(half.number.value(), static_cast<std::int64_t>(half.position.value()));
    EXPECT_THAT(pull("T").messages(), IsEmpty());
    commit(half);
    EXPECT_THAT(connection->sent(), IsEmpty()) << "a oneway request is never answered";

    auto request = pull_of("T", 0);
    request.queue = queue_number{2};
    const auto reading = connect();
    deliver(consumer(reading), incoming{}.add(3, request));
    const auto answer = reading->only();
    const auto messages = answer.messages();
    ASSERT_THAT(messages, SizeIs(1));
    const auto& message = messages.front();
    EXPECT_EQ(message.topic, "T");
    EXPECT_EQ(message.queue_id, 2);
    EXPECT_EQ(message.offset, queue_offset{0});
    EXPECT_EQ(message.sys_flag, protocol::sys_flag::transaction_commit);
    EXPECT_EQ(message.prepared_transaction_offset, static_cast<std::int64_t>(half.position.value()));
    EXPECT_EQ(message.physical_offset, static_cast<std::int64_t>(half.position.value()));
    EXPECT_EQ(as_text(message.body), "transfer");
    EXPECT_TRUE(message.body_is_intact());
}

TEST_F(transactions, T26_consumers_see_what_the_transaction_was) {
    commit(send_half("transfer", 0));
    const auto answer = pull("T");
    const auto messages = answer.messages();
    ASSERT_THAT(messages, SizeIs(1));
    const auto& message = messages.front();
    EXPECT_EQ(message.property(protocol::property::transaction_message), "true");
    EXPECT_EQ(message.property(protocol::property::producer_group), "producers");
    EXPECT_EQ(message.property(protocol::property::unique_key), "UNIQUE");
    EXPECT_EQ(message.property(protocol::property::real_topic), "T");
    EXPECT_EQ(message.property(protocol::property::real_queue_id), "0");
}

TEST_F(transactions, a_committed_half_is_stored_when_it_is_committed_so_that_times_rise_along_its_queue) {
    const auto half = send_half("transfer", 0);
    pass(200ms);
    deliver(session, incoming{}.send(1, "T", "plain"));
    flush_all();
    connection->sent();
    pass(200ms);
    const auto plain_time = now - 200;
    commit(half);
    const auto answer = pull("T");
    const auto messages = answer.messages();
    ASSERT_THAT(messages, SizeIs(2));
    EXPECT_EQ(as_text(messages[1].body), "transfer");
    EXPECT_EQ(messages[0].stored, plain_time);
    EXPECT_EQ(messages[1].stored, now);
}

TEST_F(transactions, T25_a_half_is_answered_with_its_own_number_not_with_a_place_in_its_queue) {
    deliver(session, incoming{}.send(1, "T", "plain").send(1, "T", "plain"));
    flush_all();
    connection->sent();
    const auto half = send_half("first", 0);
    EXPECT_EQ(half.number.value(), static_cast<std::int64_t>(half.position.value()));
}

TEST_F(transactions, neither_rolled_back_nor_undecided_halves_are_seen) {
    send_half("undecided");
    end(verdict(send_half("rolled back"), transaction_end::rollback), true);
    const auto half = send_half("committed");
    commit(half);
    EXPECT_THAT(bodies("T"), ElementsAre("committed"));
}

TEST_F(transactions, sends_and_decisions_of_one_read_share_an_entry) {
    const auto half = send_half("one");
    const auto text = properties();
    auto next = send_of("T", "two");
    next.properties = text;
    const auto entries = disk->written.size();
    deliver(session, incoming{}
                         .send(1, next)
                         .add(2, verdict(half, transaction_end::commit))
                         .send(3, "T", "plain")
                         .add(4, verdict(half, transaction_end::commit), {}, true));
    flush_all();
    EXPECT_EQ(disk->written.size(), entries + 1);
    const auto answers = connection->sent();
    ASSERT_THAT(answers, SizeIs(3));
    for (const auto& answer : answers)
        EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_GT(answers[0].number("queueOffset"), half.number.value());
    EXPECT_EQ(answers[1].opaque, 3);
    EXPECT_EQ(answers[2].opaque, 2);
    EXPECT_THAT(bodies("T"), ElementsAre("plain", "one"));
}

TEST_F(transactions, a_decision_is_answered_when_it_is_durable_and_asks_for_an_answer) {
    const auto half = send_half("one");
    deliver(session, incoming{}.add(2, verdict(half, transaction_end::rollback)));
    EXPECT_THAT(connection->sent(), IsEmpty());
    flush_all();
    EXPECT_EQ(connection->only().code, 0);
}

TEST_F(transactions, unknown_is_no_decision_and_is_never_answered) {
    const auto half = send_half("one");
    end(verdict(half, transaction_end::unknown), false);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(logged(broker::command_kind::packed_decisions), IsEmpty());
    commit(half);
    EXPECT_THAT(bodies("T"), ElementsAre("one"));
}

TEST_F(transactions, decisions_that_name_something_else_are_refused_in_words) {
    const auto one = send_half("one");
    const auto other = send_half("other");
    const auto refused = [&](const protocol::end_transaction_request& request) {
        end(request, false);
        const auto answer = connection->only();
        EXPECT_EQ(answer.code, code_of(response_code::system_error));
        return answer.remark;
    };
    auto stranger = verdict(one, transaction_end::commit);
    stranger.producer_group = "strangers";
    EXPECT_THAT(refused(stranger), HasSubstr("another producer group"));
    EXPECT_THAT(bodies("T"), IsEmpty());
    commit(other);
    EXPECT_THAT(bodies("T"), ElementsAre("other"));
}

// Always refused, so it gets into no log; why, only the disk may say.
TEST_F(transactions, a_decision_with_the_numbers_of_two_halves_is_looked_up_and_never_logged) {
    const auto one = send_half("one");
    auto crossed = verdict(one, transaction_end::commit);
    crossed.state_table_offset = send_half("other").number;
    end(crossed, false);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(reads, SizeIs(1));
    end(crossed, true);
    EXPECT_THAT(reads, SizeIs(1)) << "nobody wants to hear of a oneway one";
    EXPECT_THAT(logged(broker::command_kind::packed_decisions), IsEmpty());
    EXPECT_THAT(bodies("T"), IsEmpty());
}

TEST_F(transactions, T8_what_was_decided_before_is_looked_up_off_this_thread) {
    const auto half = send_half("one");
    commit(half);
    end(verdict(half, transaction_end::commit), false);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(reads, SizeIs(1));
    EXPECT_THAT(bodies("T"), ElementsAre("one"));
}

TEST_F(transactions, a_commit_whose_topic_is_gone_is_not_answered_ok) {
    const auto half = send_half("one");
    delete_topic("T");
    end(verdict(half, transaction_end::commit), false);
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::topic_not_exist));
    EXPECT_THAT(answer.remark, HasSubstr("deleted"));
}

TEST_F(transactions, a_nearly_full_disk_refuses_messages_and_takes_decisions) {
    const auto half = send_half("one");
    health_of_node.set(health::disk_full, "the disk is full");
    deliver(session, incoming{}.send(1, "T", "plain"));
    EXPECT_EQ(connection->only().code, code_of(response_code::service_not_available));
    end(verdict(half, transaction_end::commit), false);
    EXPECT_EQ(connection->only().code, 0);
    EXPECT_THAT(bodies("T"), ElementsAre("one"));
}

TEST_F(transactions, a_decision_whose_fate_is_unknown_is_not_answered) {
    const auto half = send_half("one");
    deliver(session, incoming{}.add(2, verdict(half, transaction_end::commit)));
    fail_flush();
    EXPECT_THAT(connection->sent(), IsEmpty()) << "it may be committed";
    EXPECT_TRUE(connection->closed);
}

// --- checks
// ---------------------------------------------------------------------------------------------------------

TEST_F(transactions, a_producer_is_asked_about_a_half_that_nobody_decides) {
    heartbeat(beats, connection);
    const auto half = send_half("transfer", 3);
    pass(950ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    pass(400ms);
    const auto check = connection->only();
    EXPECT_EQ(check.code, check_code);
    EXPECT_TRUE(check.is_request);
    EXPECT_TRUE(check.oneway);
    EXPECT_EQ(check.number("tranStateTableOffset"), half.number.value());
    EXPECT_EQ(check.number("commitLogOffset"), static_cast<std::int64_t>(half.position.value()));
    EXPECT_EQ(check.fields.at("msgId"), "UNIQUE");
    EXPECT_EQ(check.fields.at("transactionId"), "UNIQUE");
    EXPECT_EQ(check.fields.at("offsetMsgId"), half.message_id);
    EXPECT_EQ(check.fields.at("topic"), "T");
    const auto messages = check.messages();
    ASSERT_THAT(messages, SizeIs(1));
    EXPECT_EQ(messages.front().topic, "T");
    EXPECT_EQ(messages.front().queue_id, 3);
    EXPECT_EQ(messages.front().offset, half.number);
    EXPECT_EQ(messages.front().physical_offset, static_cast<std::int64_t>(half.position.value()));
    EXPECT_EQ(messages.front().property(protocol::property::producer_group), "producers");
    EXPECT_EQ(messages.front().property(protocol::property::real_topic), "T");
    EXPECT_EQ(messages.front().property(protocol::property::real_queue_id), "3");
    EXPECT_EQ(messages.front().property(protocol::property::transaction_check_times), "1");
    EXPECT_EQ(as_text(messages.front().body), "transfer");
    EXPECT_EQ(checks_logged(broker::half_check_kind::sent), 1U);

    auto answer = verdict(half, transaction_end::commit);
    answer.from_check = true;
    end(answer, true);
    pass(10'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_EQ(checks_logged(broker::half_check_kind::sent), 1U);
}

TEST_F(transactions, what_is_decided_in_time_is_never_asked_about) {
    heartbeat(beats, connection);
    commit(send_half("one"));
    pass(10'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(logged(broker::command_kind::half_checks), IsEmpty());
}

TEST_F(transactions, a_message_names_its_own_time_before_the_first_check) {
    std::string sooner;
    protocol::append_property(sooner, protocol::property::check_immunity_time_s, "3");
    heartbeat(beats, connection);
    send_half("later", 0, sooner);
    pass(2'900ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    pass(500ms);
    EXPECT_EQ(connection->only().code, check_code);
}

TEST_F(transactions, halves_without_a_producer_wait_and_the_first_that_comes_is_asked) {
    send_half("one");
    send_half("two");
    pass(20'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(logged(broker::command_kind::half_checks), IsEmpty());
    heartbeat(beats, connection);
    pass(300ms);
    EXPECT_THAT(connection->sent(), SizeIs(2));
}

TEST_F(transactions, T15_another_producer_of_the_group_is_asked_when_the_first_is_gone) {
    heartbeat(beats, connection);
    const auto half = send_half("one");
    const auto other = connect();
    const auto other_session = producer(other);
    heartbeat(consumer(other), other);
    caf::anon_send(session, closed_atom::value);
    caf::anon_send(beats, closed_atom::value);
    pass(1'300ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_EQ(other->only().code, check_code);
    deliver(other_session, incoming{}.add(7, verdict(half, transaction_end::commit)));
    flush_all();
    EXPECT_EQ(other->only().code, 0);
    EXPECT_THAT(bodies("T"), ElementsAre("one"));
}

TEST_F(transactions, the_producers_of_a_group_take_turns) {
    const auto other = connect();
    heartbeat(beats, connection);
    heartbeat(consumer(other), other);
    send_half("one");
    send_half("two");
    pass(1'300ms);
    EXPECT_EQ(connection->only().code, check_code);
    EXPECT_EQ(other->only().code, check_code);
}

TEST_F(transactions, a_producer_that_unregistered_or_fell_silent_is_not_asked) {
    heartbeat(beats, connection);
    protocol::unregister_client_request leave;
    leave.client_id = "c";
    leave.producer_group = "producers";
    deliver(beats, incoming{}.add(5, leave));
    EXPECT_EQ(connection->only().code, 0);
    const auto silent = connect();
    heartbeat(consumer(silent), silent);
    pass(121'000ms);
    send_half("one");
    pass(1'300ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(silent->sent(), IsEmpty());
}

TEST_F(transactions, a_producer_that_does_not_read_is_passed_over_and_that_is_not_counted) {
    heartbeat(beats, connection);
    connection->unwritten = 64U << 20U;
    send_half("one");
    pass(10'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
    EXPECT_THAT(logged(broker::command_kind::half_checks), IsEmpty());
    connection->unwritten = 0;
    pass(500ms);
    EXPECT_EQ(connection->only().code, check_code) << "soon, not an interval later";
}

TEST_F(transactions, a_half_that_cannot_be_read_holds_up_no_other) {
    heartbeat(beats, connection);
    const auto bad = send_half("bad");
    unreadable.insert(bad.position);
    send_half("good");
    pass(1'300ms);
    const auto check = connection->only();
    EXPECT_EQ(check.messages().size(), 1U);
    EXPECT_EQ(checks_logged(broker::half_check_kind::sent), 1U);
    unreadable.clear();
    pass(2'300ms);
    EXPECT_THAT(connection->sent(), SizeIs(2)) << "the first check of one, the second of the other";
}

TEST_F(transactions, after_the_last_check_a_half_goes_where_a_person_finds_it) {
    heartbeat(beats, connection);
    const auto half = send_half("nobody knows");
    pass(1'300ms);
    EXPECT_EQ(connection->only().code, check_code);
    pass(2'300ms);
    EXPECT_EQ(connection->only().code, check_code);
    pass(1'000ms);
    EXPECT_EQ(checks_logged(broker::half_check_kind::given_up), 0U) << "the producer still has time";
    pass(20'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty()) << "at most transactionCheckMax checks";
    EXPECT_EQ(checks_logged(broker::half_check_kind::sent), 2U);
    EXPECT_EQ(checks_logged(broker::half_check_kind::given_up), 1U);
    const auto found = pull(std::string{protocol::check_exhausted_topic});
    const auto messages = found.messages();
    ASSERT_THAT(messages, SizeIs(1));
    const auto& message = messages.front();
    EXPECT_EQ(as_text(message.body), "nobody knows");
    EXPECT_EQ(message.topic, protocol::check_exhausted_topic);
    EXPECT_EQ(message.queue_id, 0);
    EXPECT_EQ(message.sys_flag, 0) << "it was never committed";
    EXPECT_EQ(message.prepared_transaction_offset, 0);
    EXPECT_EQ(message.property(protocol::property::real_topic), "T");
    EXPECT_EQ(message.property(protocol::property::real_queue_id), "0");
    EXPECT_EQ(message.property(protocol::property::transaction_check_times), "2");
    // Too late: refused, in words that the reader knows.
    end(verdict(half, transaction_end::commit), false);
    EXPECT_THAT(reads, SizeIs(1));
    EXPECT_THAT(bodies("T"), IsEmpty());
}

TEST_F(transactions, a_fenced_log_checks_nothing) {
    heartbeat(beats, connection);
    send_half("one");
    deliver(session, incoming{}.send(1, "T", "plain"));
    fail_flush();
    connection->sent();
    advance(10'000ms);
    EXPECT_THAT(connection->sent(), IsEmpty());
}

TEST_F(transactions, more_halves_than_one_turn_takes_are_all_asked_about) {
    heartbeat(beats, connection);
    const auto text = properties();
    auto request = send_of("T", "many");
    request.properties = text;
    constexpr std::size_t reads_of_client = 12;
    constexpr std::size_t per_read = 500;
    for (std::size_t read = 0; read < reads_of_client; ++read) {
        incoming frames;
        for (std::size_t i = 0; i < per_read; ++i)
            frames.send(1, request);
        deliver(session, std::move(frames));
    }
    flush_all();
    EXPECT_THAT(connection->sent(), SizeIs(reads_of_client * per_read));
    pass(1'300ms);
    EXPECT_THAT(connection->sent(), SizeIs(reads_of_client * per_read));
    EXPECT_EQ(checks_logged(broker::half_check_kind::sent), reads_of_client * per_read);
}

TEST_F(transactions, mqadmin_sees_the_producers) {
    heartbeat(beats, connection, {"producers", "others"});
    const auto asking = connect();
    ask_admin(asking, incoming{}.add(1, protocol::get_producer_connections_request{"producers"}));
    auto answer = asking->only();
    EXPECT_EQ(answer.code, 0);
    EXPECT_THAT(answer.body, HasSubstr(connection->peer().text));
    ask_admin(asking, incoming{}.add(1, protocol::get_producer_connections_request{"nobody"}));
    answer = asking->only();
    EXPECT_EQ(answer.code, code_of(response_code::system_error));
    EXPECT_THAT(answer.remark, HasSubstr("nobody"));
    ask_admin(asking, incoming{}.add(1, protocol::bare_request<request_code::get_all_producer_info>{}));
    answer = asking->only();
    EXPECT_THAT(answer.body, HasSubstr("\"others\":[{"));
    EXPECT_THAT(answer.body, HasSubstr("\"lastUpdateTimestamp\":" + std::to_string(now.value())));
    caf::anon_send(beats, closed_atom::value);
    settle();
    ask_admin(asking, incoming{}.add(1, protocol::bare_request<request_code::get_all_producer_info>{}));
    EXPECT_EQ(asking->only().body, "{\"data\":{}}");
}

} // namespace
} // namespace holdfast::actors::testing
