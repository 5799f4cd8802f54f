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
