#include "tests/actors/fixture.hpp"

#include "protocol/batch.hpp"
#include "protocol/message_id.hpp"

namespace holdfast::actors {
namespace {

using protocol::response_code;
using testing::incoming;
using testing::send_of;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

class producer_sessions : public testing::actor_fixture {
  protected:
    void set_up_topic() {
        lead();
        make_topic("T");
    }
};

TEST_F(producer_sessions, a_send_is_answered_only_after_its_flush) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(7, "T", "hello", 2));
    ASSERT_EQ(disk->flushes.size(), 1U);
    EXPECT_TRUE(connection->sent().empty()) << "nothing is answered before it is on the disk";
    EXPECT_EQ(view->queues().bounds(queue_of("T", 2)).last, queue_offset{0}) << "nor shown to consumers";
    flush();
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.opaque, 7);
    EXPECT_EQ(answer.number("queueId"), 2);
    EXPECT_EQ(answer.number("queueOffset"), 0);
    EXPECT_EQ(answer.fields.at("MSG_REGION"), "DefaultRegion");
    EXPECT_EQ(answer.fields.at("TRACE_ON"), "true");
    EXPECT_EQ(view->queues().bounds(queue_of("T", 2)).last, queue_offset{1});
    EXPECT_EQ(counters.messages_put.load(), 1U);
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
}

TEST_F(producer_sessions, T4_the_message_id_is_the_records_place_in_the_log) {
    set_up_topic();
    const auto connection = connect();
    deliver(producer(connection), incoming{}.send(1, "T", "a").send(2, "T", "bb"));
    flush_all();
    for (const auto& answer : connection->sent()) {
        const auto id = protocol::parse_message_id(answer.fields.at("msgId"));
        ASSERT_TRUE(id.ok());
        EXPECT_EQ(id->host.to_ipv4(), (protocol::ipv4_host{0x7F000001, 10911}));
        const auto entry = cache.find_containing(id->position);
        ASSERT_TRUE(entry);
        const auto record =
            protocol::decode_stored_message(entry->entry.view().subspan(id->position - entry->position));
        ASSERT_TRUE(record.ok());
        EXPECT_EQ(as_text(record->body), answer.opaque == 1 ? "a" : "bb");
        EXPECT_EQ(record->physical_offset, static_cast<std::int64_t>(id->position.value()));
    }
}

TEST_F(producer_sessions, one_read_is_one_entry_and_one_answer_each) {
    set_up_topic();
    const auto connection = connect();
    deliver(producer(connection),
            incoming{}.send(1, "T", "a").send(2, "T", "b").send(3, "T", "c", 1).send(4, "T", "d"));
    ASSERT_EQ(disk->flushes.size(), 1U);
    EXPECT_EQ(disk->flushes[0]->entries.size(), 1U);
    flush();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 4U);
    const std::int64_t offsets[] = {0, 1, 0, 2};
    for (std::size_t i = 0; i < answers.size(); ++i) {
        EXPECT_EQ(answers[i].opaque, static_cast<std::int32_t>(i + 1));
        EXPECT_EQ(answers[i].code, 0);
        EXPECT_EQ(answers[i].number("queueOffset"), offsets[i]);
    }
}

TEST_F(producer_sessions, reads_that_come_during_a_flush_gather_and_keep_their_order) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    for (std::int32_t read = 1; read <= 5; ++read)
        deliver(session, incoming{}.send(read, "T", "m"));
    ASSERT_EQ(disk->flushes.size(), 1U) << "one flush under way";
    flush();
    EXPECT_EQ(connection->only().opaque, 1);
    ASSERT_EQ(disk->flushes.size(), 1U);
    EXPECT_EQ(disk->flushes[0]->entries.size(), 4U) << "the rest gathered";
    flush();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(answers[i].number("queueOffset"), static_cast<std::int64_t>(i + 1));
}

TEST_F(producer_sessions, T9_a_oneway_send_is_stored_and_never_answered) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}
                         .send(1, send_of("T", "quiet"), true)
                         .send(2, send_of("no such topic!", "refused"), true)
                         .send(3, "T", "loud"));
    flush_all();
    EXPECT_EQ(connection->only().opaque, 3);
    EXPECT_EQ(view->queues().bounds(queue_of("T")).last, queue_offset{2});
}

TEST_F(producer_sessions, T12_a_batch_is_answered_with_all_its_ids) {
    set_up_topic();
    byte_buffer body;
    for (const auto* const text : {"a", "b", "c"})
        protocol::append_batch_message(body, {0, as_bytes(text), ""});
    auto request = send_of("T", as_text(body.view()));
    request.is_batch = true;
    const auto connection = connect();
    deliver(producer(connection), incoming{}.send(1, "T", "before").send(2, request).send(3, "T", "after"));
    flush_all();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[1].number("queueOffset"), 1);
    EXPECT_EQ(answers[1].fields.at("msgId").size(), 3 * protocol::message_id_chars + 2);
    EXPECT_EQ(answers[2].number("queueOffset"), 4);
}

// --- topics made by a first send
// --------------------------------------------------------------------------------------

TEST_F(producer_sessions, a_first_send_makes_its_topic_and_the_sends_keep_their_order) {
    lead();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(1, "new", "a").send(2, "new", "b"));
    deliver(session, incoming{}.send(3, "new", "c"));
    EXPECT_TRUE(connection->sent().empty());
    ASSERT_TRUE(flush()); // the topic
    ASSERT_TRUE(view->find_topic("new"));
    EXPECT_EQ(view->find_topic("new")->write_queues, 4U) << "what the client asks for";
    EXPECT_TRUE(connection->sent().empty()) << "the topic is there, the messages are not safe yet";
    deliver(session, incoming{}.send(4, "new", "d"));
    flush_all();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(answers[i].code, 0);
        EXPECT_EQ(answers[i].opaque, static_cast<std::int32_t>(i + 1));
        EXPECT_EQ(answers[i].number("queueOffset"), static_cast<std::int64_t>(i));
    }
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
}

// Two clients send to a new topic at once, the second one asking for fewer queues. If that made the topic
// narrower, messages answered OK in the other queues could not be read any more.
TEST_F(producer_sessions, a_topic_made_at_once_by_two_clients_is_not_made_narrower) {
    lead();
    const auto wide = connect();
    const auto narrow = connect();
    auto request = send_of("new", "in the last queue", 7);
    request.default_topic_queue_count = 8;
    deliver(producer(wide), incoming{}.send(1, request));
    request = send_of("new", "x", 0);
    request.default_topic_queue_count = 2;
    deliver(producer(narrow), incoming{}.send(1, request));
    flush_all();
    EXPECT_EQ(wide->only().code, 0);
    EXPECT_EQ(narrow->only().code, 0);
    EXPECT_EQ(view->find_topic("new")->read_queues, 8U);
    EXPECT_EQ(view->queues().bounds(queue_of("new", 7)).last, queue_offset{1});
}

TEST_F(producer_sessions, a_topic_that_can_not_be_made_refuses_its_sends) {
    lead();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(1, "new", "a").send(2, "new", "b"));
    fail_flush();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 2U);
    for (const auto& answer : answers)
        EXPECT_EQ(answer.code, code_of(response_code::service_not_available)) << "surely not stored";
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
}

TEST_F(producer_sessions, topics_are_made_from_templates_that_may_be_inherited) {
    lead();
    make_topic("plain");
    broker::topic_config pattern;
    pattern.name = "pattern";
    pattern.read_queues = pattern.write_queues = 3;
    pattern.permissions = broker::permission::read_write | broker::permission::inherit;
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_put, broker::encode(pattern));
    commit(std::move(draft));
    const auto connection = connect();
    const auto session = producer(connection);
    auto request = send_of("child", "x");
    request.default_topic = "plain";
    deliver(session, incoming{}.send(1, request));
    EXPECT_EQ(connection->only().code, code_of(response_code::topic_not_exist));
    request.default_topic = "pattern";
    request.default_topic_queue_count = 100;
    deliver(session, incoming{}.send(2, request));
    flush_all();
    EXPECT_EQ(connection->only().code, 0);
    EXPECT_EQ(view->find_topic("child")->write_queues, 3U);
    EXPECT_EQ(view->find_topic("child")->permissions, broker::permission::read_write);
}

// --- refusals
// ---------------------------------------------------------------------------------------------------------

TEST_F(producer_sessions, T7_refusals_carry_the_code_that_makes_clients_do_the_right_thing) {
    config.auto_create_topics = false;
    config.max_message_bytes = 100;
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    const auto refused = [&](const protocol::send_message_request& request) {
        deliver(session, incoming{}.send(1, request));
        EXPECT_TRUE(disk->flushes.empty());
        const auto answer = connection->only();
        EXPECT_FALSE(answer.remark.empty());
        EXPECT_EQ(answer.fields.at("MSG_REGION"), "DefaultRegion") << "the Java client looks for it";
        return static_cast<response_code>(answer.code);
    };
    EXPECT_EQ(refused(send_of("unknown", "x")), response_code::topic_not_exist);
    EXPECT_EQ(refused(send_of("T", std::string(101, 'x'))), response_code::message_illegal);
    EXPECT_EQ(refused(send_of("T", "x", 4)), response_code::system_error);
    EXPECT_EQ(refused(send_of("bad name", "x")), response_code::system_error);
    EXPECT_EQ(refused(send_of("SCHEDULE_TOPIC_XXXX", "x")), response_code::no_permission);
    config.broker_permission = broker::permission::read;
    EXPECT_EQ(refused(send_of("T", "x")), response_code::no_permission);
    config.broker_permission = broker::permission::read_write;
    counters.bytes_in_flight = config.max_bytes_in_flight + 1;
    EXPECT_EQ(refused(send_of("T", "x")), response_code::service_not_available);
    counters.bytes_in_flight = 0;
    health_of_node.set(health::disk_full, "the disk is full");
    EXPECT_EQ(refused(send_of("T", "x")), response_code::service_not_available);
    health_of_node.set(health::healthy, "");
    deliver(session, incoming{}.send(9, "T", "and on it goes"));
    flush_all();
    EXPECT_EQ(connection->only().code, 0);
}

TEST_F(producer_sessions, a_request_without_its_fields_is_answered_and_a_malformed_header_closes) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    byte_buffer frame;
    protocol::call how;
    how.opaque = 5;
    protocol::command_writer writer{frame, protocol::request_head(how, protocol::request_code::send_message)};
    writer.field("topic", "T");
    writer.finish();
    deliver(session, incoming{}.raw(as_text(frame.view())));
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::system_error));
    EXPECT_NE(answer.remark.find("missing"), std::string::npos);
    EXPECT_FALSE(connection->closed);

    byte_buffer broken;
    broken.append_big(std::uint32_t{4 + 5});
    broken.append_big(std::uint32_t{5});
    broken.append("{\"co{");
    deliver(session, incoming{}.raw(as_text(broken.view())));
    EXPECT_TRUE(connection->closed);
    EXPECT_TRUE(disk->flushes.empty());
}

TEST_F(producer_sessions, a_message_whose_topic_is_deleted_on_the_way_is_not_answered_OK) {
    set_up_topic();
    const auto connection = connect();
    const auto heard = std::make_shared<testing::heard_outcomes>();
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_delete, "T");
    append(listener(heard), 1, std::move(draft));
    deliver(producer(connection), incoming{}.send(1, "T", "late"));
    flush_all();
    EXPECT_EQ(connection->only().code, code_of(response_code::topic_not_exist));
}

TEST_F(producer_sessions, a_large_batch_does_not_take_its_neighbours_over_the_entrys_limit) {
    max_entry_bytes = 64U << 10U;
    set_up_topic();
    byte_buffer body;
    for (int i = 0; i < 300; ++i)
        protocol::append_batch_message(body, {0, as_bytes("x"), ""});
    auto batch = send_of("T", as_text(body.view()));
    batch.is_batch = true;
    const std::string large(30'000, 'y');
    const auto connection = connect();
    deliver(producer(connection), incoming{}.send(1, "T", large).send(2, batch));
    flush_all();
    for (const auto& answer : connection->sent())
        EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(view->queues().bounds(queue_of("T")).last, queue_offset{301});
}

// --- sends to retry topics
// ----------------------------------------------------------------------------------------------------------

// 4.9's rule: as many tries as the limit says, and the message is a dead letter. (5.x: one more.)
TEST_F(producer_sessions, T27_a_send_to_a_retry_topic_with_all_its_tries_used_becomes_a_dead_letter) {
    struct try_case {
        std::int32_t tries;
        std::optional<std::int32_t> says; // maxReconsumeTimes
        std::int32_t version;
        bool is_dead;
    };
    lead();
    make_topic("%RETRY%workers", 1);
    make_topic("%DLQ%workers", 1);
    make_group("workers"); // 16 tries
    const auto connection = connect();
    const auto session = producer(connection);
    std::int64_t retried = 0;
    std::int64_t dead = 0;
    for (const auto& [tries, says, version, is_dead] :
         {try_case{2, 3, 409, false}, try_case{3, 3, 409, true}, try_case{4, 3, 409, true},
          // 0 is no limit, but a client that does not know one: the group's counts.
          try_case{15, 0, 409, false}, try_case{16, 0, 409, true}, try_case{15, std::nullopt, 409, false},
          try_case{16, std::nullopt, 409, true},
          // Before V3_4_9 clients did not say it.
          try_case{3, 3, 120, false}, try_case{16, 30, 120, true}, try_case{3, 3, 121, true}}) {
        auto request = send_of("%RETRY%workers", "x");
        request.reconsume_times = tries;
        request.max_reconsume_times = says;
        byte_buffer frame;
        protocol::append_send_message(frame, {}, request);
        std::string text{as_text(frame.view())};
        const std::string announced = "\"version\":409";
        ASSERT_NE(text.find(announced), std::string::npos);
        text.replace(text.find(announced), announced.size(), "\"version\":" + std::to_string(version));
        deliver(session, incoming{}.raw(text));
        flush_all();
        const auto answer = connection->only();
        EXPECT_EQ(answer.code, 0) << answer.remark;
        ++(is_dead ? dead : retried);
        const auto what = std::to_string(tries) + " of " + std::to_string(says.value_or(-1)) + ", version " +
                          std::to_string(version);
        EXPECT_EQ(view->queues().bounds(queue_of("%RETRY%workers")).last, queue_offset{retried}) << what;
        EXPECT_EQ(view->queues().bounds(queue_of("%DLQ%workers")).last, queue_offset{dead}) << what;
    }
    deliver(session, incoming{}.send(1, "%RETRY%strangers", "x"));
    flush_all();
    EXPECT_EQ(connection->only().code, code_of(response_code::subscription_group_not_exist));
    EXPECT_FALSE(view->find_topic("%RETRY%strangers"));
}

// --- back-pressure and ends
// -------------------------------------------------------------------------------------------

TEST_F(producer_sessions, too_many_unanswered_sends_pause_the_reading_until_half_are_answered) {
    config.max_requests_in_flight = 4;
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(1, "T", "a").send(2, "T", "b"));
    EXPECT_FALSE(connection->paused);
    deliver(session, incoming{}.send(3, "T", "c").send(4, "T", "d").send(5, "T", "e"));
    EXPECT_TRUE(connection->paused);
    connection->resume_reading(); // by the consumer's side of the same connection
    deliver(session, incoming{}.send(6, "T", "f"));
    EXPECT_TRUE(connection->paused);
    flush();
    EXPECT_TRUE(connection->paused) << "four are still unanswered";
    flush();
    EXPECT_FALSE(connection->paused);
    EXPECT_EQ(connection->sent().size(), 6U);
}

// Otherwise a client fills the memory while its new topic waits for a slow disk.
TEST_F(producer_sessions, sends_that_wait_for_their_topic_count_as_well) {
    config.max_requests_in_flight = 4;
    lead();
    const auto connection = connect();
    const auto session = producer(connection);
    incoming frames;
    for (std::int32_t i = 1; i <= 6; ++i)
        frames.send(i, "new", "x");
    deliver(session, frames);
    EXPECT_TRUE(connection->paused);
    EXPECT_GT(counters.bytes_in_flight.load(), 0U);
    flush_all();
    EXPECT_FALSE(connection->paused);
    EXPECT_EQ(connection->sent().size(), 6U);
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
}

TEST_F(producer_sessions, what_a_closed_connection_had_sent_is_stored_and_its_session_ends) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(1, "T", "a"));
    deliver(session, incoming{}.send(2, "T", "b").send(3, "new", "never taken up"));
    caf::anon_send(session, closed_atom::value);
    settle();
    flush_all();
    EXPECT_TRUE(connection->sent().empty());
    EXPECT_EQ(view->queues().bounds(queue_of("T")).last, queue_offset{2});
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
    caf::scoped_actor self{system(), true};
    bool ended = false;
    self->monitor(session);
    settle();
    self->receive([&](const caf::down_msg&) { ended = true; },
                  caf::after(std::chrono::milliseconds{0}) >> [] {});
    EXPECT_TRUE(ended);
}

// Its client then asks anew instead of waiting for an answer that can't come.
TEST_F(producer_sessions, a_session_that_dies_of_a_bug_closes_its_connection) {
    set_up_topic();
    const auto sending = connect();
    sending->broken = true;
    deliver(producer(sending), incoming{}.send(1, "T", "a"));
    flush_all();
    EXPECT_TRUE(sending->closed);
    const auto pulling = connect();
    pulling->broken = true;
    deliver(consumer(pulling), incoming{}.add(1, testing::pull_of("T", 0)));
    EXPECT_TRUE(pulling->closed);
    const auto leaving = connect();
    caf::anon_send(consumer(leaving), closed_atom::value);
    settle();
    EXPECT_FALSE(leaving->closed) << "an ordinary end";
}

TEST_F(producer_sessions, T6_a_failed_flush_is_never_answered_OK_and_nothing_is_taken_after_it) {
    set_up_topic();
    const auto connection = connect();
    const auto session = producer(connection);
    deliver(session, incoming{}.send(1, "T", "in the flush"));
    deliver(session, incoming{}.send(2, "T", "behind it"));
    fail_flush();
    EXPECT_TRUE(connection->sent().empty()) << "any code would say that it is not stored";
    ASSERT_TRUE(connection->closed);
    EXPECT_NE(connection->closed->find("unknown"), std::string::npos) << *connection->closed;
    const auto next = connect();
    deliver(producer(next), incoming{}.send(3, "T", "later"));
    EXPECT_EQ(next->only().code, code_of(response_code::service_not_available)) << "surely not stored";
    EXPECT_EQ(view->queues().bounds(queue_of("T")).last, queue_offset{0});
}

} // namespace
} // namespace holdfast::actors
