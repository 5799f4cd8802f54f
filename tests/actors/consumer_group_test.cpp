// consumer_group with its sessions: queue locks, whose offsets count, limits and ends.
#include "tests/actors/group_fixture.hpp"

#include "actors/limits.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;
using testing::code_of;
using testing::consumer_groups;
using testing::incoming;
using testing::pull_of;

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
    EXPECT_TRUE(a.connection->sent().empty());
    EXPECT_TRUE(a.connection->closed) << "nobody knows whose they are";
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
    pull_and_commit(a, 3);
    EXPECT_EQ(stored(), 3);
    pull_and_commit(b, 5);
    EXPECT_EQ(stored(), 5) << "who pulls has the queue";
    commit(a, 9);
    EXPECT_EQ(stored(), 5);
}

TEST_F(consumer_groups, an_operators_tool_may_commit_anything) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 8);
    const auto tool = stranger();
    commit(tool, 2);
    EXPECT_EQ(stored(), 2);
}

// Java's clients: a new connection, commits every 5 s, a heartbeat every 30 s.
TEST_F(consumer_groups, a_consumer_that_comes_back_is_fenced_before_it_joins_again) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 2);
    leave(a);
    const auto again = stranger();
    commit_oneway(again, 3);
    EXPECT_EQ(stored(), 3) << "the queue is nobody else's yet";
    const auto b = join("b");
    pull(b, 3);
    commit(b, 5);
    commit_oneway(again, 4);
    EXPECT_EQ(stored(), 5);
    pull_and_commit(again, 9);
    EXPECT_EQ(stored(), 5);
    commit(b, 6);
    EXPECT_EQ(stored(), 6) << "a stranger's pull makes no owner";
}

// Go's and ali-ons' wait for the answer, as tools do, but pull.
TEST_F(consumer_groups, who_has_pulled_for_the_group_is_no_tool) {
    set_up_topic(10);
    const auto b = join("b");
    pull(b, 0);
    commit(b, 5);
    const auto again = stranger();
    pull(again, 3);
    commit(again, 3);
    EXPECT_EQ(stored(), 5);
    commit(again, 9);
    EXPECT_EQ(stored(), 5);
    leave(b);
    commit(again, 6);
    EXPECT_EQ(stored(), 6);
}

TEST_F(consumer_groups, a_member_that_was_silent_for_too_long_is_still_no_tool) {
    set_up_topic(10);
    const auto a = join("a");
    advance(150s);
    const auto b = join("b");
    pull(b, 0);
    commit(b, 5);
    commit(a, 3);
    EXPECT_EQ(stored(), 5);
}

TEST_F(consumer_groups, an_orderly_queue_is_fenced_for_who_has_not_joined) {
    set_up_topic(10);
    const auto b = join("b");
    lock(b, {0});
    commit(b, 5);
    const auto again = stranger();
    commit_oneway(again, 9);
    pull_and_commit(again, 3);
    EXPECT_EQ(stored(), 5);
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

// Within the new topic, at its end, and beyond it: wherever the old place happens to be.
TEST_F(consumer_groups, a_consumer_that_stays_sees_a_topic_made_again_from_its_beginning) {
    set_up_topic();
    for (const auto place : {2, 4, 10}) {
        remake_topic(10);
        const auto a = join("a");
        pull(a, place);
        commit(a, place);
        remake_topic(4);
        commit(a, place);
        EXPECT_EQ(stored(), -1) << "of messages that are gone";
        const auto moved = pull(a, place);
        EXPECT_EQ(moved.code, code_of(response_code::pull_offset_moved)) << place;
        EXPECT_EQ(moved.number("nextBeginOffset"), 0);
        commit(a, place);
        commit_oneway(a, place);
        EXPECT_EQ(stored(), -1) << "it has not followed yet";
        EXPECT_EQ(as_text(pull(a, 0).messages().at(0).body), "new0");
        commit(a, 3);
        EXPECT_EQ(stored(), 3);
        leave(a);
    }
}

TEST_F(consumer_groups, a_consumer_that_doubts_a_correction_is_told_again) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 10);
    remake_topic(12);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(pull(a, 10).number("nextBeginOffset"), 0);
    EXPECT_EQ(pull(a, 0).code, 0);
    EXPECT_EQ(pull(a, 10).code, 0) << "now it knows what it asks for";
}

TEST_F(consumer_groups, a_topic_made_again_is_gone_on_with_where_the_group_stands_in_it) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 8);
    remake_topic(4);
    const auto b = join("b");
    pull(b, 0);
    commit(b, 3);
    EXPECT_EQ(pull(a, 8).number("nextBeginOffset"), 3);
    EXPECT_EQ(pull(a, 3).code, 0);
}

// It was away while the topic was made again.
TEST_F(consumer_groups, who_is_beyond_the_end_has_seen_nothing_of_the_queue) {
    set_up_topic(4);
    const auto a = join("a");
    const auto moved = pull(a, 10);
    EXPECT_EQ(moved.code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(moved.number("nextBeginOffset"), 0);
    commit(a, 10);
    EXPECT_EQ(stored(), -1);
    commit(a, 3);
    EXPECT_EQ(pull(a, 10).number("nextBeginOffset"), 3);
}

TEST_F(consumer_groups, a_topic_made_again_is_new_to_whoever_has_not_joined_too) {
    set_up_topic(10);
    const auto reader = stranger();
    pull(reader, 3);
    remake_topic(4);
    EXPECT_EQ(pull(reader, 3).number("nextBeginOffset"), 0);
    EXPECT_EQ(pull(reader, 3).code, 0) << "it was told";
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
