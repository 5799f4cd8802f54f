// A leader whose log does not begin at 0: what it tells followers that end before its beginning.
#include "broker/replica.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using consensus::append_answer;
using consensus::steady_ms;

class leader_after_retention : public ::testing::Test {
  protected:
    static constexpr std::uint64_t segment = 4096;
    static constexpr log_position first{2 * segment};
    static constexpr log_position end{3 * segment + 512};
    static constexpr term_number led{2};

    leader_after_retention() : leader_(settings(), log(), applied()) {
        leader_.step(started{steady_ms{0}});
        leader_.step(ticked{steady_ms{5'000}});
        for (const bool is_pre_vote : {true, false})
            hear(consensus::vote_answer{is_pre_vote, true});
        EXPECT_TRUE(leader_.leading());
    }
    static consensus::member node(const std::string& name) { return {name, "of " + name}; }
    static replica_settings settings() {
        replica_settings all;
        all.raft.self = node("a");
        all.raft.peers = {"b", "c"};
        all.raft.window_bytes = segment; // less than b lacks
        all.max_entry_size = segment;
        return all;
    }
    static replica_log log() {
        replica_log all;
        all.applied.geometry = {log_position{3 * segment}, segment, segment};
        all.applied.next = end;
        all.vote.term = term_number{1};
        return all;
    }
    static state applied() {
        state known;
        known.restore_first_position(first);
        known.restore_members({node("a"), node("b"), node("c")});
        consensus::term_runs runs;
        runs.note(first, term_number{1});
        known.restore_runs(std::move(runs));
        return known;
    }
    effects hear(consensus::message_body body) {
        return leader_.step(message_received{{node("b"), "a", led, std::move(body)}, steady_ms{5'000}});
    }
    // Where b, which has confirmed nothing, is told to begin anew by this answer.
    std::optional<log_position> told_to_begin(append_answer answer) {
        answer.sequence = ++sequence_;
        for (const auto& message : hear(answer).messages)
            if (const auto* const begin = std::get_if<consensus::begin_request>(&message.body))
                return begin->first;
        return std::nullopt;
    }

    replica leader_;
    std::uint64_t sequence_ = 100; // later than any request
};

TEST_F(leader_after_retention, says_where_its_log_begins_to_who_refuses_and_ends_before_that) {
    append_answer refusal;
    refusal.log_end = first - 200;
    refusal.commit = log_position{segment};
    refusal.runs = {{log_position{0}, term_number{1}}};
    EXPECT_EQ(told_to_begin(refusal), first);
}

// Without room it refuses nothing.
TEST_F(leader_after_retention, says_so_to_who_takes_nothing_and_ends_before_that) {
    append_answer full;
    full.is_matched = true;
    full.flushed = log_position{segment};
    full.log_end = first - 200;
    EXPECT_EQ(told_to_begin(full), first);
}

TEST_F(leader_after_retention, leaves_alone_who_has_some_of_it) {
    append_answer full;
    full.is_matched = true;
    full.flushed = log_position{segment};
    full.log_end = first + 200;
    EXPECT_EQ(told_to_begin(full), std::nullopt) << "it has not confirmed that yet, but may";
    append_answer refusal;
    refusal.log_end = first + 200;
    refusal.commit = log_position{segment};
    refusal.runs = {{log_position{0}, term_number{1}}};
    EXPECT_EQ(told_to_begin(refusal), std::nullopt) << "the logs are the same up to there";
}

} // namespace
} // namespace holdfast::broker
