// consumer_session: pulls, offsets, membership as one connection sees them.
#include "tests/actors/fixture.hpp"

#include "actors/limits.hpp"

#include "protocol/queue_bodies.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;
using testing::incoming;
using testing::pull_of;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

protocol::pull_message_request held(protocol::pull_message_request pull, std::int64_t timeout_ms = 15'000) {
    pull.sys_flag |= protocol::pull_flag::suspend;
    pull.suspend_timeout_ms = timeout_ms;
    return pull;
}

class consumer_sessions : public testing::actor_fixture {
  protected:
    void set_up_topic() {
        lead();
        make_topic("T");
    }
    void store(const std::vector<std::pair<std::string, std::string>>& bodies_and_tags) {
        const auto connection = connect();
        incoming frames;
        std::int32_t opaque = 0;
        for (const auto& [body, tag] : bodies_and_tags)
            frames.send(++opaque, "T", body, 0, tag.empty() ? "" : "TAGS\x01" + tag);
        deliver(producer(connection), frames);
        flush_all();
        for (const auto& answer : connection->sent())
            ASSERT_EQ(answer.code, 0);
    }
    static protocol::update_consumer_offset_request update(std::int64_t offset) {
        return {"workers", "T", queue_number{0}, queue_offset{offset}};
    }
    // What the group has stored, as a client asks for it.
    testing::sent_frame query(std::string_view group = "workers", std::string_view topic = "T") {
        const auto connection = connect();
        deliver(consumer(connection), incoming{}.add(1, protocol::query_consumer_offset_request{
                                                            group, topic, queue_number{0}, {}}));
        return connection->only();
    }
};

// --- pulls
// ------------------------------------------------------------------------------------------------------------

TEST_F(consumer_sessions, a_pull_finds_messages_with_their_offsets_filled_in) {
    set_up_topic();
    store({{"a", ""}, {"b", ""}, {"c", ""}});
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(5, pull_of("T", 1)));
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.opaque, 5);
    EXPECT_EQ(answer.number("nextBeginOffset"), 3);
    EXPECT_EQ(answer.number("minOffset"), 0);
    EXPECT_EQ(answer.number("maxOffset"), 3);
    const auto messages = answer.messages();
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(as_text(messages[0].body), "b");
    EXPECT_EQ(messages[0].offset, queue_offset{1});
    EXPECT_EQ(messages[1].offset, queue_offset{2});
    EXPECT_TRUE(messages[1].body_is_intact());
    EXPECT_EQ(messages[1].stored, now);
}

TEST_F(consumer_sessions, a_pull_at_the_end_is_answered_at_once_when_it_may_not_be_held) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(5, pull_of("T", 0)));
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::pull_not_found));
    EXPECT_EQ(answer.number("nextBeginOffset"), 0);
}

TEST_F(consumer_sessions, T18_a_held_pull_is_woken_once_with_its_own_opaque) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(77, held(pull_of("T", 0))));
    EXPECT_TRUE(connection->sent().empty());
    advance(1s);
    store({{"now", ""}});
    const auto answer = connection->only();
    EXPECT_EQ(answer.opaque, 77);
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.messages().size(), 1U);
    store({{"later", ""}});
    advance(30s);
    EXPECT_TRUE(connection->sent().empty()) << "answered once";
}

TEST_F(consumer_sessions, T18_a_held_pull_is_answered_19_when_its_time_is_up) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, held(pull_of("T", 0), 5'000)));
    advance(4'900ms);
    EXPECT_TRUE(connection->sent().empty());
    advance(400ms);
    EXPECT_EQ(connection->only().code, code_of(response_code::pull_not_found));
    store({{"later", ""}});
    EXPECT_TRUE(connection->sent().empty());
}

TEST_F(consumer_sessions, T18_a_pull_is_held_well_below_the_clients_30_seconds) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, held(pull_of("T", 0), 3'600'000)));
    advance(21s);
    EXPECT_EQ(connection->only().code, code_of(response_code::pull_not_found));
}

TEST_F(consumer_sessions, T18_held_pulls_are_dropped_with_their_connection) {
    set_up_topic();
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}.add(1, held(pull_of("T", 0))));
    caf::anon_send(session, closed_atom::value);
    settle();
    store({{"nobody waits", ""}});
    advance(30s);
    EXPECT_TRUE(connection->sent().empty());
}

TEST_F(consumer_sessions, T18_a_held_pull_stores_its_commit_offset_once) {
    set_up_topic();
    store({{"0", ""}, {"1", ""}, {"2", ""}});
    const auto connection = connect();
    const auto session = consumer(connection);
    auto pull = held(pull_of("T", 3));
    pull.sys_flag |= protocol::pull_flag::commit_offset;
    pull.commit_offset = queue_offset{2};
    deliver(session, incoming{}.add(1, pull));
    deliver(session, incoming{}.add(2, update(3)));
    flush_all();
    EXPECT_EQ(connection->only().opaque, 2);
    store({{"3", ""}});
    EXPECT_EQ(connection->only().opaque, 1);
    advance(3s);
    flush_all();
    EXPECT_EQ(query().number("offset"), 3) << "the pull's older offset did not come back";
}

TEST_F(consumer_sessions, a_held_pull_goes_on_behind_messages_that_are_not_for_it) {
    set_up_topic();
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}.add(1, held(pull_of("T", 0, "A"))));
    store({{"for others", "B"}});
    auto answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::pull_retry_immediately));
    EXPECT_EQ(answer.number("nextBeginOffset"), 1);
    deliver(session, incoming{}.add(2, held(pull_of("T", 1, "A"))));
    store({{"mine", "A"}});
    answer = connection->only();
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(as_text(answer.messages().at(0).body), "mine");
}

TEST_F(consumer_sessions, a_held_pull_of_a_deleted_topic_is_answered) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, held(pull_of("T", 0))));
    delete_topic("T");
    EXPECT_EQ(connection->only().code, code_of(response_code::topic_not_exist));
}

TEST_F(consumer_sessions, a_tag_expression_selects_and_the_next_offset_skips_the_rest) {
    set_up_topic();
    store({{"0", "A"}, {"1", "B"}, {"2", ""}, {"3", "A"}, {"4", "C"}});
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}.add(1, pull_of("T", 0, "A || C")));
    auto answer = connection->only();
    ASSERT_EQ(answer.messages().size(), 3U);
    EXPECT_EQ(as_text(answer.messages()[1].body), "3");
    EXPECT_EQ(answer.messages()[2].offset, queue_offset{4});
    EXPECT_EQ(answer.number("nextBeginOffset"), 5);
    deliver(session, incoming{}.add(2, pull_of("T", 1, "none of these")));
    answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::pull_retry_immediately));
    EXPECT_EQ(answer.number("nextBeginOffset"), 5);
    deliver(session, incoming{}.add(3, pull_of("T", 0, "||")));
    EXPECT_EQ(connection->only().code, code_of(response_code::subscription_parse_failed));
}

TEST_F(consumer_sessions, T2_only_offsets_outside_the_queue_are_moved) {
    set_up_topic();
    store({{"0", ""}, {"1", ""}, {"2", ""}});
    view->queues().raise_first(queue_of("T"), queue_offset{1});
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}.add(1, pull_of("T", 4)).add(2, pull_of("T", 0)).add(3, pull_of("T", 3)));
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[0].code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(answers[0].number("nextBeginOffset"), 1) << "it has seen nothing of this queue";
    EXPECT_EQ(answers[1].code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(answers[1].number("nextBeginOffset"), 1);
    EXPECT_EQ(answers[2].code, code_of(response_code::pull_not_found));
    EXPECT_EQ(answers[2].number("nextBeginOffset"), 3);
}

TEST_F(consumer_sessions, T19_an_answer_holds_whole_records_and_at_least_one) {
    set_up_topic();
    const std::string large(10'000, 'x');
    store({{large, ""}, {large, ""}, {large, ""}});
    const auto connection = connect();
    const auto session = consumer(connection);
    auto pull = pull_of("T", 0);
    for (const auto& [bytes, count] : {std::pair{1, 1U}, std::pair{15'000, 1U}, std::pair{25'000, 2U}}) {
        pull.max_message_bytes = bytes;
        deliver(session, incoming{}.add(1, pull));
        const auto answer = connection->only();
        EXPECT_EQ(answer.messages().size(), count) << bytes;
        EXPECT_EQ(answer.number("nextBeginOffset"), count);
    }
}

// A session expects records as large as the last ones; when it is wrong, answers are as full as ever.
TEST_F(consumer_sessions, an_answer_is_full_whatever_the_size_of_the_records_before) {
    set_up_topic();
    const std::string large(10'000, 'x');
    store({{large, ""}, {large, ""}});
    for (int number = 0; number < 300; ++number)
        store({{"small", ""}});
    const auto connection = connect();
    const auto session = consumer(connection);
    auto pull = pull_of("T", 0);
    pull.max_messages = 1'000;
    for (const auto& [from, count] : {std::pair{1, 301U}, std::pair{0, 302U}, std::pair{2, 300U}}) {
        pull.offset = queue_offset{0};
        pull.max_message_bytes = 15'000; // one of the large ones
        deliver(session, incoming{}.add(1, pull));
        EXPECT_EQ(connection->only().messages().size(), 1U);
        pull.offset = queue_offset{from};
        pull.max_message_bytes = 100'000;
        deliver(session, incoming{}.add(2, pull));
        EXPECT_EQ(connection->only().messages().size(), count) << from;
    }
}

TEST_F(consumer_sessions, a_pull_that_asks_for_nonsense_gets_something_sensible) {
    set_up_topic();
    store({{"a", ""}, {"b", ""}});
    const auto connection = connect();
    const auto session = consumer(connection);
    auto pull = pull_of("T", 0);
    pull.max_messages = -5;
    deliver(session, incoming{}.add(1, pull));
    EXPECT_EQ(connection->only().messages().size(), 1U);
    pull.max_messages = std::numeric_limits<std::int32_t>::max();
    pull.max_message_bytes = std::numeric_limits<std::int32_t>::max();
    deliver(session, incoming{}.add(1, pull));
    EXPECT_EQ(connection->only().messages().size(), 2U);
    pull.queue = queue_number{4};
    deliver(session, incoming{}.add(1, pull));
    EXPECT_EQ(connection->only().code, code_of(response_code::system_error));
    pull.queue = queue_number{0};
    pull.topic = "unknown";
    deliver(session, incoming{}.add(1, pull));
    EXPECT_EQ(connection->only().code, code_of(response_code::topic_not_exist));
    pull.topic = "T";
    pull.expression_type = "SQL92";
    deliver(session, incoming{}.add(1, pull));
    EXPECT_EQ(connection->only().code, code_of(response_code::system_error));
}

// A group's name goes into the log and into keys of the derived store.
TEST_F(consumer_sessions, a_pull_with_an_impossible_group_name_is_refused) {
    set_up_topic();
    const auto connection = connect();
    const auto session = consumer(connection);
    auto pull = pull_of("T", 0);
    pull.sys_flag |= protocol::pull_flag::commit_offset;
    pull.commit_offset = queue_offset{1};
    const std::string endless(70'000, 'g');
    for (const std::string_view name : {std::string_view{endless}, std::string_view{"a\0b", 3}}) {
        pull.consumer_group = name;
        deliver(session, incoming{}.add(1, pull));
        EXPECT_EQ(connection->only().code, code_of(response_code::system_error));
    }
    advance(2s);
    flush_all();
    EXPECT_TRUE(logged(broker::command_kind::offsets_commit).empty());
}

TEST_F(consumer_sessions, what_only_the_disk_has_goes_to_a_reader) {
    set_up_topic();
    store({{"a", ""}});
    view->queues().evict(queue_of("T"), queue_offset{1});
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, pull_of("T", 0)));
    EXPECT_TRUE(connection->sent().empty());
    ASSERT_EQ(reads.size(), 1U);
    EXPECT_EQ(reads[0]->connection, connection);
}

TEST_F(consumer_sessions, a_client_that_does_not_read_its_answers_gets_no_more_of_them) {
    set_up_topic();
    store({{"a", ""}});
    const auto connection = connect();
    const auto session = consumer(connection);
    connection->unwritten = limits::max_unread_answer_bytes + 1;
    deliver(session, incoming{}.add(1, pull_of("T", 0)));
    EXPECT_TRUE(connection->paused);
    connection->resume_reading(); // by the producer's side of the same connection
    deliver(session, incoming{}.add(2, pull_of("T", 0)));
    EXPECT_TRUE(connection->paused);
    EXPECT_TRUE(connection->sent().empty());
    connection->unwritten = 0;
    advance(limits::drain_tick + 50ms);
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0].opaque, 1);
    EXPECT_EQ(answers[1].opaque, 2);
    EXPECT_FALSE(connection->paused);
}

// All connections share the readers: a flood of one waits in its own session.
TEST_F(consumer_sessions, a_connection_gives_readers_only_so_much_at_once) {
    set_up_topic();
    store({{"a", ""}});
    view->queues().evict(queue_of("T"), queue_offset{1});
    const auto connection = connect();
    const auto session = consumer(connection);
    incoming flood;
    for (std::int32_t i = 1; i <= 100; ++i)
        flood.add(i, pull_of("T", 0))
            .add(i + 1000, protocol::search_offset_request{"T", queue_number{0}, {}});
    deliver(session, flood);
    EXPECT_EQ(reads.size(), limits::max_reader_jobs);
    EXPECT_TRUE(connection->paused);
    const auto other = connect();
    deliver(consumer(other), incoming{}.add(1, pull_of("T", 0)));
    ASSERT_EQ(reads.size(), limits::max_reader_jobs + 1) << "another connection is not touched by it";
    EXPECT_EQ(reads.back()->connection, other);
    std::size_t done = 0;
    while (connection->paused && !reads.empty()) {
        done += reads.size();
        EXPECT_LE(reads.size(), limits::max_reader_jobs + 1);
        reads.clear();
        advance(limits::drain_tick + 50ms);
    }
    EXPECT_EQ(done + reads.size(), 201U) << "each once";
    EXPECT_FALSE(connection->paused);
}

TEST_F(consumer_sessions, readers_learn_that_a_connection_is_gone) {
    set_up_topic();
    store({{"a", ""}});
    view->queues().evict(queue_of("T"), queue_offset{1});
    const auto session = consumer(connect());
    deliver(session, incoming{}.add(1, pull_of("T", 0)));
    ASSERT_EQ(reads.size(), 1U);
    EXPECT_FALSE(reader_load::is_abandoned(reads[0]->slot));
    caf::anon_send(session, closed_atom::value);
    settle();
    EXPECT_TRUE(reader_load::is_abandoned(reads[0]->slot));
}

// A client that parks without end must not make everybody wait for the search through its parked pulls.
TEST_F(consumer_sessions, a_connection_holds_only_so_many_pulls) {
    config.max_requests_in_flight = 3;
    set_up_topic();
    const auto connection = connect();
    incoming frames;
    for (std::int32_t i = 1; i <= 5; ++i)
        frames.add(i, held(pull_of("T", 0)));
    deliver(consumer(connection), frames);
    EXPECT_EQ(connection->sent().size(), 2U);
    store({{"a", ""}});
    EXPECT_EQ(connection->sent().size(), 3U);
}

// --- offsets
// ----------------------------------------------------------------------------------------------------------

TEST_F(consumer_sessions, an_offset_is_stored_and_answered_when_it_is_durable) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, update(41)));
    EXPECT_TRUE(connection->sent().empty());
    EXPECT_EQ(query().number("offset"), 41) << "on its way already counts: a group never goes back";
    flush_all();
    EXPECT_EQ(connection->only().code, 0);
    EXPECT_EQ(view->offset("workers", queue_of("T")), queue_offset{41});
    EXPECT_EQ(query().number("offset"), 41);
}

TEST_F(consumer_sessions, T9_oneway_commits_are_coalesced_and_never_answered) {
    set_up_topic();
    store(std::vector<std::pair<std::string, std::string>>(50, {"x", ""}));
    const auto connection = connect();
    const auto session = consumer(connection);
    for (std::int64_t offset = 1; offset <= 50; ++offset)
        deliver(session, incoming{}.add(1, update(offset), "", true));
    EXPECT_TRUE(disk->flushes.empty());
    advance(1'100ms);
    flush_all();
    EXPECT_TRUE(connection->sent().empty());
    const auto commands = logged(broker::command_kind::offsets_commit);
    ASSERT_EQ(commands.size(), 1U);
    EXPECT_EQ(broker::decode_offset_commits(as_bytes(commands[0]))->size(), 1U);
    EXPECT_EQ(view->offset("workers", queue_of("T")), queue_offset{50});
}

TEST_F(consumer_sessions, an_offset_may_be_lowered_but_not_below_zero) {
    set_up_topic();
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}.add(1, update(9)));
    flush_all();
    deliver(session, incoming{}.add(2, update(4)));
    flush_all();
    EXPECT_EQ(connection->sent().size(), 2U);
    EXPECT_EQ(query().number("offset"), 4);
    deliver(session, incoming{}.add(3, update(-1)));
    EXPECT_EQ(connection->only().code, code_of(response_code::system_error));
}

TEST_F(consumer_sessions, a_group_without_an_offset_starts_at_the_beginning_while_that_is_there) {
    set_up_topic();
    EXPECT_EQ(query().number("offset"), 0);
    store({{"a", ""}, {"b", ""}});
    EXPECT_EQ(query().number("offset"), 0);
    view->queues().raise_first(queue_of("T"), queue_offset{1});
    EXPECT_EQ(query().code, code_of(response_code::query_not_found)) << "the beginning is gone";
    EXPECT_EQ(query("workers", "unknown").code, code_of(response_code::query_not_found));
}

TEST_F(consumer_sessions, T1_a_group_that_does_not_answer_in_time_is_no_reason_for_an_answer) {
    set_up_topic();
    const group_directory_actor directory = environment->directory;
    const auto promises = std::make_shared<std::vector<caf::typed_response_promise<std::int64_t>>>();
    environment->directory = system().spawn(
        [promises](group_directory_actor::pointer self) -> group_directory_actor::behavior_type {
            return {[](join_atom, const group_member_ptr&) { return true; },
                    [](leave_atom, const std::string&, connection_id) {},
                    [](commit_atom, const offsets_commit_request_ptr&) {},
                    [=](query_atom, const std::string&, queue_key) -> caf::result<std::int64_t> {
                        promises->push_back(self->make_response_promise<std::int64_t>());
                        return promises->back();
                    },
                    [](reset_atom, const offsets_reset_request_ptr&) { return queue_offsets_ptr{}; },
                    [](lock_atom, const queue_lock_request_ptr&) {},
                    [](tick_atom) {},
                    [](stop_atom) { return drained_atom::value; }};
        });
    track(environment->directory);
    const auto connection = connect();
    deliver(consumer(connection),
            incoming{}.add(1, protocol::query_consumer_offset_request{"workers", "T", queue_number{0}, {}}));
    advance(30s);
    EXPECT_TRUE(connection->sent().empty()) << "any error would be taken for: nothing stored";
    ASSERT_EQ(promises->size(), 1U);
    promises->clear();
    environment->directory = directory;
}

TEST_F(consumer_sessions, T3_the_bounds_of_a_queue_are_what_is_committed) {
    set_up_topic();
    store({{"a", ""}});
    const auto sender = connect();
    deliver(producer(sender), incoming{}.send(1, "T", "not committed yet"));
    const auto connection = connect();
    const auto session = consumer(connection);
    deliver(session, incoming{}
                         .add(1, protocol::get_max_offset_request{"T", queue_number{0}})
                         .add(2, protocol::get_min_offset_request{"T", queue_number{0}})
                         .add(3, protocol::get_max_offset_request{"unknown", queue_number{0}})
                         .add(4, protocol::get_min_offset_request{"unknown", queue_number{0}}));
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_EQ(answers[0].number("offset"), 1);
    EXPECT_EQ(answers[1].number("offset"), 0);
    EXPECT_EQ(answers[2].number("offset"), 0);
    EXPECT_EQ(answers[3].number("offset"), -1);
}

TEST_F(consumer_sessions, a_commit_whose_fate_is_unknown_is_not_answered) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, update(7)));
    fail_flush();
    EXPECT_TRUE(connection->sent().empty());
    EXPECT_TRUE(connection->closed);
    EXPECT_EQ(query().number("offset"), 0) << "nothing is stored that was not answered";
}

TEST_F(consumer_sessions, unknown_codes_are_answered_with_3) {
    set_up_topic();
    const auto connection = connect();
    deliver(consumer(connection),
            incoming{}.add(1, protocol::bare_request<protocol::request_code::put_kv_config>{}));
    EXPECT_EQ(connection->only().code, code_of(response_code::request_code_not_supported));
}

} // namespace
} // namespace holdfast::actors
