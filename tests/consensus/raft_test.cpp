#include "consensus/raft.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace holdfast::consensus {
namespace {

log_position at(std::uint64_t position) {
    return log_position{position};
}

TEST(majority_position, is_what_more_than_half_have_reached) {
    EXPECT_EQ(majority_position({at(7)}), at(7));
    EXPECT_EQ(majority_position({at(7), at(9)}), at(7)); // of two, both are the majority
    EXPECT_EQ(majority_position({at(9), at(1), at(5)}), at(5));
    EXPECT_EQ(majority_position({at(9), at(9), at(0)}), at(9));
    EXPECT_EQ(majority_position({at(4), at(3), at(2), at(1)}), at(2));
    EXPECT_EQ(majority_position({at(1), at(5), at(2), at(4), at(3)}), at(3));
}

// For every arrangement of five members on three places: more than half are at or beyond the answer, and not
// more than half are beyond any greater place.
TEST(majority_position, holds_for_every_arrangement) {
    for (unsigned arrangement = 0; arrangement < 243; ++arrangement) {
        std::vector<log_position> reached;
        for (unsigned member = 0, rest = arrangement; member < 5; ++member, rest /= 3)
            reached.push_back(at(rest % 3));
        const auto majority = majority_position(reached);
        const auto count_from = [&](log_position place) {
            return std::count_if(reached.begin(), reached.end(), [&](auto one) { return one >= place; });
        };
        EXPECT_GE(count_from(majority), 3);
        EXPECT_LT(count_from(majority + 1), 3);
    }
}

TEST(raft, a_group_of_one_wins_its_election_at_once) {
    raft alone{"a", {"a"}, term_number{6}};
    EXPECT_EQ(alone.current_role(), role::follower);
    EXPECT_EQ(alone.term(), term_number{6});
    EXPECT_TRUE(alone.campaign());
    EXPECT_EQ(alone.current_role(), role::leader);
    EXPECT_EQ(alone.term(), term_number{7});
}

TEST(raft, a_member_of_three_does_not_win_alone) {
    raft one{"a", {"a", "b", "c"}, term_number{1}};
    EXPECT_FALSE(one.campaign());
    EXPECT_EQ(one.current_role(), role::follower);
    EXPECT_FALSE(one.flushed("a", at(100)));
    EXPECT_EQ(one.commit(), at(0));
}

TEST(raft, commits_what_it_has_flushed_when_alone) {
    raft alone{"a", {"a"}, term_number{0}};
    ASSERT_TRUE(alone.campaign());
    alone.lead_from(at(128));
    EXPECT_TRUE(alone.flushed("a", at(128)));
    EXPECT_EQ(alone.commit(), at(128));
    EXPECT_FALSE(alone.flushed("a", at(128))) << "nothing new";
    EXPECT_FALSE(alone.flushed("a", at(64))) << "a late report takes nothing back";
    EXPECT_EQ(alone.commit(), at(128));
    EXPECT_TRUE(alone.flushed("a", at(4096)));
    EXPECT_EQ(alone.commit(), at(4096));
}

// Thesis 3.6.2, figure 3.7: an entry of an older term may be on a majority and still be overwritten. So it is
// not committed by counting, but only by an entry of the own term behind it.
TEST(raft, an_entry_of_an_older_term_is_not_committed_by_counting) {
    raft alone{"a", {"a"}, term_number{3}};
    ASSERT_TRUE(alone.campaign());
    EXPECT_FALSE(alone.flushed("a", at(1000))) << "the leadership's first entry is not even written";
    alone.lead_from(at(1128));
    EXPECT_FALSE(alone.flushed("a", at(1064))) << "on a majority, but all of it of an older term";
    EXPECT_EQ(alone.commit(), at(0));
    EXPECT_TRUE(alone.flushed("a", at(1128)));
    EXPECT_EQ(alone.commit(), at(1128)) << "with the first own entry everything before it";
}

TEST(raft, nothing_commits_between_an_election_and_the_first_entry) {
    raft alone{"a", {"a"}, term_number{0}};
    ASSERT_TRUE(alone.campaign());
    alone.lead_from(at(64));
    ASSERT_TRUE(alone.flushed("a", at(64)));
    ASSERT_TRUE(alone.campaign()); // a new term: the old one's counting ends
    EXPECT_FALSE(alone.flushed("a", at(512)));
    EXPECT_EQ(alone.commit(), at(64));
    alone.lead_from(at(576));
    EXPECT_TRUE(alone.flushed("a", at(576)));
}

TEST(raft, what_was_committed_before_a_start_is_taken_over_and_never_falls) {
    raft alone{"a", {"a"}, term_number{0}};
    alone.restore_commit(at(640));
    EXPECT_EQ(alone.commit(), at(640));
    alone.restore_commit(at(64));
    EXPECT_EQ(alone.commit(), at(640));
}

} // namespace
} // namespace holdfast::consensus
