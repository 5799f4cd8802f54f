#include "tests/actors/fixture.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using testing::heard_outcomes;

class commit_logs : public testing::actor_fixture {
  protected:
    broker::entry_draft message() {
        broker::entry_draft draft;
        const auto record = draft.add_message(queue_of("T"), 0, 91);
        std::fill(record.begin(), record.end(), std::byte{0});
        return draft;
    }
    void tell_saved(bool succeeded) {
        caf::anon_send(environment->log, saved_atom::value, succeeded);
        settle();
    }
    // Asks the log to stop; the answer comes when it comes.
    struct stop_request {
        bool drained = false;
    };
    std::shared_ptr<stop_request> stop() {
        const auto asked = std::make_shared<stop_request>();
        const auto log = environment->log;
        track(system().spawn([asked, log](caf::event_based_actor* self) -> caf::behavior {
            self->request(log, caf::infinite, stop_atom::value).then([asked](drained_atom) {
                asked->drained = true;
            });
            return {[](tick_atom) {}};
        }));
        settle();
        return asked;
    }
};

TEST_F(commit_logs, leads_when_its_first_entry_is_on_the_disk) {
    std::vector<term_number> persisted;
    persist_vote = [&](const consensus::hard_vote& vote) {
        EXPECT_TRUE(disk->flushes.empty()) << "the term comes before its first entry";
        persisted.push_back(vote.term);
        return result<void>{};
    };
    lead();
    EXPECT_EQ(persisted, std::vector{term_number{1}});
    EXPECT_EQ(leading, 1);
    EXPECT_EQ(logged(broker::command_kind::leadership).size(), 1U);
}

TEST_F(commit_logs, a_term_that_can_not_be_kept_leads_nothing) {
    persist_vote = [](const consensus::hard_vote&) {
        return result<void>{error{errc::io_failed, "read-only"}};
    };
    lead();
    EXPECT_EQ(leading, 0);
    EXPECT_EQ(fenced, std::vector<std::string>{"read-only"});
    EXPECT_TRUE(disk->written.empty());
}

// Thesis 3.4: a vote that was said and not kept could be given twice in a term.
class commit_logs_of_a_group : public commit_logs {
  protected:
    commit_logs_of_a_group() {
        peers = {"b", "c"};
        persist_vote = [this](const consensus::hard_vote& vote) -> result<void> {
            happened.push_back("kept the vote for " + vote.vote);
            if (!disk_works)
                return error{errc::io_failed, "read-only"};
            return {};
        };
        send_to_peer = [this](const std::string& peer, const peer_frame&) {
            happened.push_back("told " + peer);
        };
    }
    void be_asked_by_b() {
        const consensus::message asked{
            {"b", "of b"}, "a", term_number{7}, consensus::vote_request{false, false, {}, {}, "first"}};
        caf::anon_send(environment->log, peer_atom::value, std::string{"b"},
                       peer_frame{consensus::encode_head(asked), {}});
        settle();
    }

    bool disk_works = true;
    std::vector<std::string> happened;
};

TEST_F(commit_logs_of_a_group, a_vote_is_kept_before_it_is_told) {
    lead();
    be_asked_by_b();
    EXPECT_EQ(happened, (std::vector<std::string>{"kept the vote for b", "told b"}));
}

TEST_F(commit_logs_of_a_group, a_vote_that_can_not_be_kept_is_told_nobody) {
    disk_works = false;
    lead();
    be_asked_by_b();
    EXPECT_EQ(happened, std::vector<std::string>{"kept the vote for b"});
    EXPECT_EQ(fenced, std::vector<std::string>{"read-only"});
}

TEST_F(commit_logs, an_appender_hears_once_a_turn_however_much_was_committed) {
    lead();
    make_topic("T");
    const auto first = std::make_shared<heard_outcomes>();
    const auto second = std::make_shared<heard_outcomes>();
    const auto one = listener(first);
    const auto other = listener(second);
    append(one, 1, message());
    append(one, 2, message());
    append(other, 1, message());
    append(one, 3, message());
    flush();
    ASSERT_EQ(first->messages.size(), 1U);
    EXPECT_TRUE(second->messages.empty());
    flush();
    ASSERT_EQ(first->messages.size(), 2U);
    ASSERT_EQ(second->messages.size(), 1U);
    const auto outcomes = first->all();
    ASSERT_EQ(outcomes.size(), 3U);
    const std::int64_t offsets[] = {0, 1, 3};
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(outcomes[i].ticket, i + 1);
        EXPECT_FALSE(outcomes[i].failure);
        EXPECT_EQ(outcomes[i].offsets, std::vector{queue_offset{offsets[i]}});
    }
}

TEST_F(commit_logs, readers_see_a_message_before_its_producer_is_answered) {
    lead();
    make_topic("T");
    const auto seen = std::make_shared<std::vector<queue_offset>>();
    const auto queue = queue_of("T");
    const appender_actor watching = system().spawn([this, seen, queue]() -> appender_actor::behavior_type {
        return {[this, seen, queue](outcome_atom, const batch_outcomes_ptr&) {
            seen->push_back(view->queues().bounds(queue).last);
        }};
    });
    track(watching);
    append(watching, 1, message());
    flush();
    EXPECT_EQ(*seen, std::vector{queue_offset{1}});
}

TEST_F(commit_logs, a_failed_flush_fails_everything_that_waits_and_everything_after) {
    lead();
    make_topic("T");
    const auto heard = std::make_shared<heard_outcomes>();
    const auto appender = listener(heard);
    append(appender, 1, message());
    append(appender, 2, message());
    fail_flush();
    ASSERT_EQ(heard->messages.size(), 1U);
    ASSERT_EQ(heard->all().size(), 2U);
    for (const auto& outcome : heard->all()) {
        ASSERT_TRUE(outcome.failure);
        EXPECT_EQ(outcome.failure->code, errc::io_failed);
    }
    EXPECT_EQ(fenced.size(), 1U);
    append(appender, 3, message());
    ASSERT_EQ(heard->all().size(), 3U);
    EXPECT_EQ(heard->all()[2].failure->code, errc::unavailable);
    fail_flush();
    // A success that is told too late is nobody's any more.
    caf::anon_send(environment->log, flushed_atom::value,
                   flush_report{log_position{1U << 20U}, log_position{1U << 20U}, std::nullopt});
    settle();
    EXPECT_EQ(heard->all().size(), 3U);
    EXPECT_EQ(fenced.size(), 1U) << "said once";
    EXPECT_TRUE(disk->flushes.empty());
    EXPECT_EQ(view->queues().bounds(queue_of("T")).last, queue_offset{0});
}

TEST_F(commit_logs, an_idle_log_gets_one_mark) {
    lead();
    make_topic("T");
    advance(5s);
    flush_all();
    advance(5s);
    flush_all();
    EXPECT_EQ(logged(broker::command_kind::idle_mark).size(), 1U);
}

// Supervision: without it every send would wait for ever.
TEST_F(commit_logs, a_bug_in_the_log_or_in_its_flusher_is_told_and_ends_the_taking_of_messages) {
    lead();
    ASSERT_TRUE(health_of_node.takes_messages());
    caf::anon_send_exit(flusher, caf::exit_reason::unhandled_exception);
    settle();
    ASSERT_EQ(fenced.size(), 1U);
    EXPECT_NE(fenced[0].find("bug"), std::string::npos);
    EXPECT_FALSE(health_of_node.takes_messages());
}

TEST_F(commit_logs, an_orderly_end_is_no_failure) {
    lead();
    caf::anon_send_exit(flusher, caf::exit_reason::user_shutdown);
    settle();
    EXPECT_TRUE(fenced.empty());
    EXPECT_TRUE(health_of_node.takes_messages());
}

// --- checkpoints
// ------------------------------------------------------------------------------------------------------

TEST_F(commit_logs, changes_are_checkpointed_one_checkpoint_at_a_time) {
    lead();
    make_topic("T");
    const auto applied = view->marks().applied;
    advance(6s);
    ASSERT_EQ(disk->checkpoints.size(), 1U);
    EXPECT_EQ(disk->checkpoints[0]->applied, applied);
    make_topic("U");
    advance(20s);
    EXPECT_EQ(disk->checkpoints.size(), 1U) << "the first one is not saved yet";
    tell_saved(true);
    advance(6s);
    flush_all();
    EXPECT_EQ(disk->checkpoints.size(), 2U);
    tell_saved(true);
    advance(20s);
    EXPECT_EQ(disk->checkpoints.size(), 2U) << "nothing new";
}

TEST_F(commit_logs, many_changes_are_worth_a_checkpoint_at_once) {
    log_settings.checkpoint_changes = 3;
    lead();
    make_topic("A");
    make_topic("B");
    EXPECT_TRUE(disk->checkpoints.empty());
    make_topic("C");
    ASSERT_EQ(disk->checkpoints.size(), 1U);
}

TEST_F(commit_logs, a_derived_store_that_can_not_be_written_fences_the_node) {
    log_settings.checkpoint_changes = 1;
    lead();
    make_topic("T");
    ASSERT_EQ(disk->checkpoints.size(), 1U);
    tell_saved(false);
    ASSERT_EQ(fenced.size(), 1U);
    EXPECT_NE(fenced[0].find("derived store"), std::string::npos);
}

TEST_F(commit_logs, the_key_indexer_learns_what_is_applied) {
    lead();
    make_topic("T");
    advance(2s);
    flush_all();
    ASSERT_FALSE(disk->indexed.empty());
    EXPECT_LE(disk->indexed.back(), view->marks().applied);
    EXPECT_GT(disk->indexed.back(), log_position{0});
}

// Segments go only when the snapshot that lets the log begin later is committed.
TEST_F(commit_logs, a_trim_is_carried_out_when_it_is_committed) {
    lead();
    make_topic("T");
    for (int i = 0; i < 3; ++i)
        commit(message());
    const log_position first{192};
    auto plan = std::make_shared<trim_plan>();
    plan->first = first;
    plan->firsts.emplace_back(queue_of("T"), queue_offset{2});
    caf::anon_send(environment->log, trim_atom::value, trim_plan_ptr{plan});
    settle();
    EXPECT_TRUE(disk->trims.empty());
    EXPECT_EQ(view->queues().bounds(queue_of("T")).first, queue_offset{0});
    flush_all();
    EXPECT_EQ(disk->trims, std::vector{first});
    EXPECT_EQ(view->queues().bounds(queue_of("T")).first, queue_offset{2});
    EXPECT_EQ(view->marks().first, first);
    caf::anon_send(environment->log, trim_atom::value, trim_plan_ptr{plan});
    flush_all();
    EXPECT_EQ(disk->trims.size(), 1U) << "nothing more to take";
}

// --- the end
// ----------------------------------------------------------------------------------------------------------

TEST_F(commit_logs, stopping_answers_everything_and_saves_it_first) {
    lead();
    make_topic("T");
    const auto heard = std::make_shared<heard_outcomes>();
    const auto appender = listener(heard);
    append(appender, 1, message());
    append(appender, 2, message());
    const auto stopped = stop();
    append(appender, 3, message());
    ASSERT_EQ(heard->all().size(), 1U) << "what comes later is refused at once";
    EXPECT_EQ(heard->all()[0].failure->code, errc::unavailable);
    flush();
    EXPECT_TRUE(disk->checkpoints.empty());
    flush();
    EXPECT_EQ(heard->all().size(), 3U);
    EXPECT_FALSE(heard->all()[2].failure);
    EXPECT_EQ(disk->checkpoints.size(), 1U);
    EXPECT_FALSE(stopped->drained);
    tell_saved(true);
    EXPECT_TRUE(stopped->drained);
}

TEST_F(commit_logs, stopping_an_idle_log_is_answered_at_once) {
    lead();
    EXPECT_TRUE(stop()->drained);
}

TEST_F(commit_logs, stopping_ends_when_the_disk_fails_meanwhile) {
    lead();
    make_topic("T");
    const auto heard = std::make_shared<heard_outcomes>();
    append(listener(heard), 1, message());
    const auto stopped = stop();
    fail_flush();
    EXPECT_TRUE(heard->all().at(0).failure);
    ASSERT_EQ(disk->checkpoints.size(), 1U);
    tell_saved(true);
    EXPECT_TRUE(stopped->drained);
}

} // namespace
} // namespace holdfast::actors
