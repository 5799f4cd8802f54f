// consumer_group with its sessions: queue locks, whose offsets count, resets.
#include "tests/actors/fixture.hpp"

#include "actors/limits.hpp"
#include "protocol/queue_bodies.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::message_queue;
using protocol::response_code;
using testing::fake_connection_ptr;
using testing::incoming;
using testing::pull_of;
using testing::sent_frame;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

class consumer_groups : public testing::actor_fixture {
  protected:
    struct member {
        fake_connection_ptr connection;
        consumer_session_actor session;
        std::string client;
    };

    void set_up_topic(int messages = 0) {
        lead();
        make_topic("T");
        const auto sender = connect();
        incoming frames;
        for (int i = 0; i < messages; ++i)
            frames.send(i + 1, "T", "m" + std::to_string(i), 0);
        if (messages > 0)
            deliver(producer(sender), frames);
        flush_all();
    }
    // A connection that has not joined the group.
    member stranger() {
        const auto connection = connect();
        return {connection, consumer(connection), "stranger"};
    }
    member join(const std::string& client, protocol::language language = protocol::language::java) {
        auto made = stranger();
        made.client = client;
        beat(made, language);
        return made;
    }
    void beat(const member& of, protocol::language language = protocol::language::java) {
        const protocol::heartbeat beat{
            of.client, {}, {{.group = "workers", .subscriptions = {{.topic = "T", .expression = "*"}}}}};
        byte_buffer frame;
        protocol::call how;
        how.opaque = 1000;
        how.language = language;
        protocol::append_request(frame, how, protocol::heart_beat_request{},
                                 as_bytes(protocol::encode_heartbeat(beat)));
        deliver(of.session, incoming{}.raw(as_text(frame.view())));
        flush_all();
        of.connection->sent();
    }
    void leave(const member& who) {
        caf::anon_send(who.session, closed_atom::value);
        settle();
    }

    // What it was answered; members are told of changes of the group in between.
    static std::vector<sent_frame> answers(const member& who) {
        auto frames = who.connection->sent();
        std::erase_if(frames, [](const auto& frame) { return frame.is_request; });
        return frames;
    }
    static sent_frame answer(const member& who) {
        auto frames = answers(who);
        EXPECT_EQ(frames.size(), 1U);
        return frames.empty() ? sent_frame{} : frames.front();
    }

    static std::string lock_body(const std::string& client, const std::vector<std::int32_t>& queues,
                                 const std::string& topic = "T") {
        protocol::lock_batch_body body{"workers", client, {}};
        for (const auto queue : queues)
            body.queues.push_back({topic, "broker-a", queue});
        return protocol::encode_lock_batch(body);
    }
    void ask_lock(const member& who, const std::vector<std::int32_t>& queues, std::int32_t opaque = 1) {
        deliver(who.session,
                incoming{}.add(opaque, protocol::lock_batch_request{}, lock_body(who.client, queues)));
    }
    static std::vector<std::int32_t> locked(const sent_frame& answer) {
        EXPECT_EQ(answer.code, 0) << answer.remark;
        const auto queues = protocol::decode_locked_queues(as_bytes(answer.body));
        EXPECT_TRUE(queues.ok());
        std::vector<std::int32_t> numbers;
        if (queues.ok())
            for (const auto& queue : *queues)
                numbers.push_back(queue.queue_id);
        return numbers;
    }
    std::vector<std::int32_t> lock(const member& who, const std::vector<std::int32_t>& queues) {
        ask_lock(who, queues);
        flush_all();
        return locked(answer(who));
    }
    void unlock(const member& who, const std::vector<std::int32_t>& queues) {
        deliver(who.session,
                incoming{}.add(1, protocol::unlock_batch_request{}, lock_body(who.client, queues), true));
        flush_all();
    }

    // Without waiting for more messages; the answer.
    sent_frame pull(const member& who, std::int64_t offset, std::uint32_t queue = 0) {
        auto request = pull_of("T", offset);
        request.queue = queue_number{queue};
        deliver(who.session, incoming{}.add(2, request));
        return answer(who);
    }
    void hold_pull(const member& who, std::int64_t offset, std::int32_t opaque) {
        auto request = pull_of("T", offset);
        request.sys_flag |= protocol::pull_flag::suspend;
        request.suspend_timeout_ms = 15'000;
        deliver(who.session, incoming{}.add(opaque, request));
    }
    // Answered 0, whether it counted or not.
    void commit(const member& who, std::int64_t offset, std::uint32_t queue = 0) {
        deliver(who.session,
                incoming{}.add(3, protocol::update_consumer_offset_request{
                                      "workers", "T", queue_number{queue}, queue_offset{offset}}));
        flush_all();
        EXPECT_EQ(answer(who).code, 0);
    }
    std::int64_t stored(std::uint32_t queue = 0) const {
        return view->offset("workers", queue_of("T", queue)).value_or(queue_offset{-1}).value();
    }
    sent_frame query(std::uint32_t queue) {
        const auto asker = stranger();
        deliver(asker.session, incoming{}.add(4, protocol::query_consumer_offset_request{
                                                     "workers", "T", queue_number{queue}, {}}));
        return asker.connection->only();
    }
    static protocol::reset_offset_request reset_to(std::int64_t timestamp, bool is_forced = true) {
        return {
            .topic = "T", .group = "workers", .timestamp = timestamp_ms{timestamp}, .is_forced = is_forced};
    }
    static protocol::reset_offset_request reset_queue(std::int32_t queue, std::int64_t offset) {
        auto request = reset_to(0);
        request.queue_id = queue;
        request.offset = offset;
        return request;
    }
    template <class Request>
    sent_frame ask_operator(const Request& request) {
        const auto connection = connect();
        ask_admin(connection, incoming{}.add(9, request));
        flush_all();
        return connection->only();
    }
    static std::map<std::int32_t, std::int64_t> table_of(const sent_frame& frame) {
        const auto table = protocol::decode_offset_table(as_bytes(frame.body));
        EXPECT_TRUE(table.ok());
        std::map<std::int32_t, std::int64_t> offsets;
        if (table.ok())
            for (const auto& [queue, offset] : *table)
                offsets[queue.queue_id] = offset.value();
        return offsets;
    }
};

using numbers = std::vector<std::int32_t>;

// --- locks
// ------------------------------------------------------------------------------------------------------------

TEST_F(consumer_groups, a_lock_is_answered_when_it_is_durable) {
    set_up_topic();
    const auto a = join("a");
    ask_lock(a, {2, 0, 0, 7, -1});
    EXPECT_TRUE(a.connection->sent().empty());
    flush_all();
    EXPECT_EQ(locked(a.connection->only()), (numbers{0, 2})) << "queues that are not there are not named";
    EXPECT_EQ(view->lock("workers", queue_of("T", 2)), (broker::queue_lock{"a", 1}));
    EXPECT_EQ(logged(broker::command_kind::queue_locks).size(), 1U);
    ask_lock(a, {0, 2});
    EXPECT_EQ(locked(a.connection->only()), (numbers{0, 2})) << "at once: a refresh is no entry of the log";
    EXPECT_EQ(logged(broker::command_kind::queue_locks).size(), 1U);
}

TEST_F(consumer_groups, a_lock_goes_over_a_minute_after_its_last_refresh_or_when_it_is_given_up) {
    set_up_topic();
    const auto a = join("a");
    const auto b = join("b");
    EXPECT_EQ(lock(a, {0, 1}), (numbers{0, 1}));
    EXPECT_EQ(lock(b, {0, 1, 2}), (numbers{2}));
    unlock(b, {0, 1});
    EXPECT_EQ(lock(b, {1}), (numbers{})) << "only the owner unlocks";
    unlock(a, {1});
    EXPECT_EQ(lock(b, {1}), (numbers{1}));
    advance(59s);
    beat(a);
    EXPECT_EQ(lock(b, {0}), (numbers{}));
    advance(2s);
    EXPECT_EQ(lock(b, {0}), (numbers{0}));
    EXPECT_EQ(lock(a, {0}), (numbers{}));
}

TEST_F(consumer_groups, locks_that_wait_for_the_disk_go_into_the_log_together) {
    set_up_topic();
    const auto a = join("a");
    const auto b = join("b");
    ask_lock(a, {0});
    ask_lock(a, {1}, 2);
    ask_lock(b, {1, 2}, 3);
    ask_lock(b, {0}, 4);
    flush_all();
    EXPECT_EQ(logged(broker::command_kind::queue_locks).size(), 2U);
    const auto of_a = answers(a);
    ASSERT_EQ(of_a.size(), 2U);
    EXPECT_EQ(locked(of_a[1]), (numbers{1}));
    const auto of_b = answers(b);
    ASSERT_EQ(of_b.size(), 2U);
    EXPECT_EQ(locked(of_b[0]), (numbers{2})) << "the first to ask has it";
    EXPECT_EQ(locked(of_b[1]), (numbers{}));
}

TEST_F(consumer_groups, a_lock_that_could_not_be_stored_is_not_given) {
    set_up_topic();
    const auto a = join("a");
    ask_lock(a, {0});
    fail_flush();
    EXPECT_EQ(a.connection->only().code, code_of(response_code::system_error));
    EXPECT_EQ(view->lock("workers", queue_of("T")), std::nullopt);
}

TEST_F(consumer_groups, locks_go_with_their_topic) {
    set_up_topic();
    const auto a = join("a");
    lock(a, {0});
    delete_topic("T");
    make_topic("T");
    const auto b = join("b");
    EXPECT_EQ(lock(b, {0}), (numbers{0})) << "another topic of that name";
}

TEST_F(consumer_groups, a_lock_request_that_makes_no_sense_is_refused) {
    set_up_topic();
    const auto a = join("a");
    for (const auto& body :
         {std::string{"nonsense"}, lock_body("", {0}), lock_body(std::string(256, 'c'), {0})}) {
        deliver(a.session, incoming{}.add(1, protocol::lock_batch_request{}, body));
        EXPECT_EQ(a.connection->only().code, code_of(response_code::system_error));
    }
    deliver(a.session, incoming{}.add(1, protocol::lock_batch_request{}, lock_body("a", {0}, "unknown")));
    EXPECT_EQ(locked(a.connection->only()), (numbers{}));
}

// --- whose offsets count
// ----------------------------------------------------------------------------------------------

TEST_F(consumer_groups, a_late_commit_of_the_ex_owner_neither_rewinds_nor_skips) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    pull(a, 0);
    commit(a, 4);
    pull(b, 4);
    commit(b, 6);
    commit(a, 5);
    EXPECT_EQ(stored(), 6);
    commit(a, 9);
    EXPECT_EQ(stored(), 6);
    leave(b);
    commit(a, 7);
    EXPECT_EQ(stored(), 7) << "the owner is gone";
}

TEST_F(consumer_groups, a_commit_that_comes_with_a_pull_is_fenced_too) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    const auto pull_and_commit = [&](const member& who, std::int64_t offset) {
        auto request = pull_of("T", offset);
        request.sys_flag |= protocol::pull_flag::commit_offset;
        request.commit_offset = queue_offset{offset};
        deliver(who.session, incoming{}.add(2, request));
        advance(6s);
        flush_all();
    };
    pull_and_commit(a, 3);
    EXPECT_EQ(stored(), 3);
    pull_and_commit(b, 5);
    EXPECT_EQ(stored(), 5) << "who pulls has the queue";
    a.connection->sent();
    commit(a, 9);
    EXPECT_EQ(stored(), 5);
}

TEST_F(consumer_groups, who_has_not_joined_may_commit_anything) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 8);
    const auto tool = stranger();
    commit(tool, 2);
    EXPECT_EQ(stored(), 2);
}

TEST_F(consumer_groups, an_orderly_queue_is_its_lock_holders) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    lock(a, {0});
    pull(a, 0);
    commit(a, 3);
    pull(b, 0);
    commit(b, 9);
    EXPECT_EQ(stored(), 3) << "a stray pull makes no owner";
    commit(a, 4);
    EXPECT_EQ(stored(), 4);
    advance(61s);
    beat(a);
    beat(b);
    EXPECT_EQ(lock(b, {0}), (numbers{0}));
    pull(b, 4);
    commit(b, 5);
    pull(a, 4);
    commit(a, 9);
    EXPECT_EQ(stored(), 5) << "the ex-owner was paused and knows nothing of its end";
}

TEST_F(consumer_groups, a_lock_that_nobody_refreshes_fences_nobody) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    lock(a, {0});
    advance(61s);
    beat(b);
    pull(b, 0);
    commit(b, 2);
    EXPECT_EQ(stored(), 2) << "the group no longer consumes in order";
}

TEST_F(consumer_groups, a_topic_made_again_starts_anew) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 10);
    delete_topic("T");
    make_topic("T");
    EXPECT_EQ(query(0).number("offset"), 0);
    commit(a, 10);
    EXPECT_EQ(stored(), -1) << "of messages that never were in this one";
    EXPECT_EQ(query(0).number("offset"), 0);
}

TEST_F(consumer_groups, a_group_that_knows_the_topic_skips_nothing_of_a_queue_that_is_new_to_it) {
    set_up_topic(10);
    view->queues().raise_first(queue_of("T"), queue_offset{4});
    EXPECT_EQ(query(0).code, code_of(response_code::query_not_found)) << "a new group chooses itself";
    const auto a = join("a");
    deliver(a.session, incoming{}.add(1, protocol::update_consumer_offset_request{
                                             "workers", "T", queue_number{1}, queue_offset{0}}));
    EXPECT_EQ(query(0).number("offset"), 4) << "also while the other offset is on its way";
    flush_all();
    EXPECT_EQ(query(0).number("offset"), 4);
}

// --- resets
// -----------------------------------------------------------------------------------------------------------

TEST_F(consumer_groups, a_reset_is_durable_when_it_is_answered_and_stays_until_the_consumer_has_followed) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 8);
    const auto tool = connect();
    ask_admin(tool, incoming{}.add(9, reset_queue(0, 3)));
    EXPECT_TRUE(tool->sent().empty());
    EXPECT_EQ(query(0).number("offset"), 3) << "who asks now is on the safe side";
    deliver(a.session, incoming{}.add(3, protocol::update_consumer_offset_request{
                                             "workers", "T", queue_number{0}, queue_offset{9}}));
    flush_all();
    const auto answer = tool->only();
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(table_of(answer), (std::map<std::int32_t, std::int64_t>{{0, 3}}));
    EXPECT_EQ(stored(), 3);
    a.connection->sent();
    commit(a, 9);
    EXPECT_EQ(stored(), 3) << "it has not heard yet";
    const auto moved = pull(a, 9);
    EXPECT_EQ(moved.code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(moved.number("nextBeginOffset"), 3);
    commit(a, 9);
    EXPECT_EQ(stored(), 3) << "still on its way";
    EXPECT_EQ(pull(a, 3).code, 0);
    commit(a, 4);
    EXPECT_EQ(stored(), 4);
}

TEST_F(consumer_groups, a_reset_wakes_held_pulls_and_tells_every_member) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b", protocol::language::cpp);
    a.connection->sent();
    hold_pull(a, 10, 77);
    EXPECT_TRUE(a.connection->sent().empty());
    ask_operator(reset_queue(0, 3));
    const auto told = a.connection->sent();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].code, 220);
    EXPECT_TRUE(told[0].oneway);
    EXPECT_EQ(told[0].fields.at("group"), "workers");
    EXPECT_EQ(told[0].body, R"({"offsetTable":{{"brokerName":")" + config.broker_name +
                                R"(","queueId":0,"topic":"T"}:3}})");
    EXPECT_EQ(told[1].opaque, 77);
    EXPECT_EQ(told[1].code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(told[1].number("nextBeginOffset"), 3);
    EXPECT_EQ(b.connection->only().body, R"({"offsetTable":[{"brokerName":")" + config.broker_name +
                                             R"(","offset":3,"queueId":0,"topic":"T"}]})")
        << "the form that C++ clients read";
    EXPECT_EQ(pull(a, 3).code, 0);
    advance(30s);
    EXPECT_TRUE(a.connection->sent().empty()) << "the held pull was answered once";
}

TEST_F(consumer_groups, whoever_pulls_next_is_moved_wherever_it_stands) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    pull(a, 0);
    ask_operator(reset_queue(0, 3));
    a.connection->sent();
    b.connection->sent();
    EXPECT_EQ(pull(a, 8).code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(pull(b, 9).code, code_of(response_code::pull_offset_moved)) << "it has not heard of it either";
    EXPECT_EQ(pull(b, 3).code, 0);
    const auto tool = stranger();
    EXPECT_EQ(pull(tool, 9).code, 0);
}

TEST_F(consumer_groups, a_reset_by_time_asks_the_reader_and_goes_only_back_unless_forced) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 5);
    offset_at = [](timestamp_ms time) { return time.value() / 100; };
    EXPECT_EQ(table_of(ask_operator(reset_to(700, false))).at(0), 5);
    EXPECT_EQ(stored(), 5);
    EXPECT_EQ(table_of(ask_operator(reset_to(700, true))).at(0), 7);
    EXPECT_EQ(stored(), 7);
    EXPECT_EQ(table_of(ask_operator(reset_to(200, false))),
              (std::map<std::int32_t, std::int64_t>{{0, 2}, {1, 2}, {2, 2}, {3, 2}}))
        << "queues without an offset get one";
    EXPECT_EQ(table_of(ask_operator(reset_to(-1))).at(0), 10) << "the latest";
    EXPECT_EQ(stored(), 10);
}

TEST_F(consumer_groups, a_reset_that_makes_no_sense_is_refused) {
    set_up_topic(10);
    join("a");
    auto request = reset_queue(0, 3);
    request.topic = "unknown";
    EXPECT_EQ(ask_operator(request).code, code_of(response_code::topic_not_exist));
    request = reset_queue(0, 3);
    request.group = "unknown";
    EXPECT_EQ(ask_operator(request).code, code_of(response_code::subscription_group_not_exist));
    EXPECT_EQ(ask_operator(reset_queue(4, 0)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(-1, 3)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(0, 11)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(0, 10)).code, 0);
}

TEST_F(consumer_groups, a_reset_that_the_disk_refuses_is_answered_as_failed) {
    set_up_topic(10);
    const auto a = join("a");
    const auto tool = connect();
    ask_admin(tool, incoming{}.add(9, reset_queue(0, 3)));
    fail_flush();
    EXPECT_EQ(tool->only().code, code_of(response_code::system_error));
    EXPECT_EQ(stored(), -1);
    EXPECT_TRUE(a.connection->sent().empty()) << "nobody is told";
}

TEST_F(consumer_groups, offsets_are_copied_to_another_group) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 5);
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"workers", "others", "T"}).code, 0);
    EXPECT_EQ(view->offset("others", queue_of("T")), queue_offset{5});
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"nobody", "others", ""}).code,
              code_of(response_code::subscription_group_not_exist));
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"workers", "others", "unknown"}).code,
              code_of(response_code::topic_not_exist));
    EXPECT_EQ(ask_operator(protocol::bare_request<protocol::request_code::get_all_consumer_offset>{}).body,
              R"({"offsetTable":{"T@others":{0:5},"T@workers":{0:5}}})");
}

// --- limits and ends
// --------------------------------------------------------------------------------------------------

TEST_F(consumer_groups, commits_that_wait_for_a_slow_disk_are_limited) {
    set_up_topic();
    const auto tool = stranger();
    incoming frames;
    const auto count = static_cast<std::int32_t>(limits::max_waiting_commits) + 3;
    for (std::int32_t i = 1; i <= count; ++i)
        frames.add(
            i, protocol::update_consumer_offset_request{"workers", "T", queue_number{0}, queue_offset{i}});
    deliver(tool.session, frames);
    auto refused = tool.connection->sent();
    ASSERT_EQ(refused.size(), 2U) << "one is under way, the limit waits";
    EXPECT_EQ(refused[0].code, code_of(response_code::system_busy));
    flush_all();
    EXPECT_EQ(tool.connection->sent().size(), limits::max_waiting_commits + 1);
}

TEST_F(consumer_groups, a_polite_end_stores_what_was_committed_oneway) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    deliver(a.session,
            incoming{}.add(
                3, protocol::update_consumer_offset_request{"workers", "T", queue_number{0}, queue_offset{6}},
                {}, true));
    EXPECT_TRUE(disk->flushes.empty()) << "the interval is not over";
    bool drained = false;
    caf::scoped_actor self{system(), true};
    self->send(environment->directory, stop_atom::value);
    settle();
    flush_all();
    EXPECT_EQ(stored(), 6);
    self->receive([&](drained_atom) { drained = true; });
    EXPECT_TRUE(drained);
}

} // namespace
} // namespace holdfast::actors
