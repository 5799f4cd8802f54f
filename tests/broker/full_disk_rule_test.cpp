#include "broker/full_disk_rule.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace holdfast::broker {
namespace {

using namespace std::chrono_literals;
using follower = full_disk_rule::follower;

// full for 3 s, room for 10 s, attempts of 5 s, every 120 s.
class full_disk : public ::testing::Test {
  protected:
    [[nodiscard]] std::string at(std::chrono::milliseconds now) {
        return rule.decide(leads, is_full, followers, now).value_or("");
    }
    full_disk_rule rule;
    bool leads = true;
    bool is_full = true;
    std::vector<follower> followers{{"b", true, true}, {"c", true, true}};
};

TEST_F(full_disk, gives_the_lead_to_who_has_caught_up_and_has_room) {
    followers = {{"b", false, true}, {"c", true, false}, {"d", true, true}};
    EXPECT_EQ(at(0s), "");
    EXPECT_EQ(at(9'999ms), "");
    EXPECT_EQ(at(10s), "d");
}

TEST_F(full_disk, keeps_the_lead_while_there_is_room_or_nobody_better) {
    is_full = false;
    EXPECT_EQ(at(0s), "");
    EXPECT_EQ(at(60s), "");
    is_full = true;
    EXPECT_EQ(at(61s), "");
    followers = {{"b", false, true}, {"c", true, false}};
    EXPECT_EQ(at(70s), "");
    followers.clear();
    EXPECT_EQ(at(80s), "");
}

TEST_F(full_disk, does_nothing_for_a_moment_of_fullness) {
    is_full = false;
    EXPECT_EQ(at(0s), "");
    for (auto now = 20'000ms; now < 60s; now += 3s) {
        is_full = true;
        EXPECT_EQ(at(now), "");
        EXPECT_EQ(at(now + 2'900ms), "");
        is_full = false;
        EXPECT_EQ(at(now + 2'950ms), "");
    }
    is_full = true;
    EXPECT_EQ(at(60s), "");
    EXPECT_EQ(at(63s), "b");
}

TEST_F(full_disk, does_not_trust_room_that_comes_and_goes) {
    followers = {{"b", true, true}};
    for (auto now = 0ms; now < 60s; now += 10s) {
        followers.front().has_room = true;
        EXPECT_EQ(at(now), "");
        EXPECT_EQ(at(now + 9'900ms), "");
        followers.front().has_room = false;
        EXPECT_EQ(at(now + 9'950ms), "");
    }
}

TEST_F(full_disk, who_is_gone_for_a_while_begins_anew) {
    followers = {{"b", true, true}};
    EXPECT_EQ(at(0s), "");
    followers.clear();
    EXPECT_EQ(at(9s), "");
    followers = {{"b", true, true}};
    EXPECT_EQ(at(10s), "");
    EXPECT_EQ(at(19s), "");
    EXPECT_EQ(at(20s), "b");
}

TEST_F(full_disk, repeats_the_word_for_a_while_and_then_pauses) {
    EXPECT_EQ(at(0s), "");
    EXPECT_EQ(at(10s), "b");
    EXPECT_EQ(at(14'900ms), "b");
    followers.front().is_caught_up = false;
    EXPECT_EQ(at(14'950ms), "c") << "the attempt is not one's only";
    EXPECT_EQ(at(15s), "");
    EXPECT_EQ(at(129s), "");
    EXPECT_EQ(at(130s), "c");
    EXPECT_EQ(at(134s), "c");
    EXPECT_EQ(at(135s), "");
}

TEST_F(full_disk, a_follower_has_nothing_to_give) {
    leads = false;
    EXPECT_EQ(at(0s), "");
    EXPECT_EQ(at(60s), "");
    leads = true;
    EXPECT_EQ(at(61s), "b") << "but knows, when it comes to lead, how long the others have had room";
}

// Two nodes whose disks fill and empty in turn. How often the lead changes in ten minutes.
int changes_of_lead(std::chrono::milliseconds turn) {
    std::array<full_disk_rule, 2> rules;
    std::size_t leader = 0;
    int changes = 0;
    for (auto now = 0ms; now < 600s; now += 1s) {
        const std::size_t full = (now / turn) % 2 == 0 ? 0 : 1;
        const auto before = leader;
        for (const std::size_t node : {0U, 1U}) {
            const std::size_t other = 1 - node;
            const std::vector<follower> followers{{std::to_string(other), true, other != full}};
            if (rules[node].decide(before == node, node == full, followers, now))
                leader = other;
        }
        changes += leader == before ? 0 : 1;
    }
    return changes;
}

TEST(full_disks, do_not_play_ping_pong) {
    EXPECT_EQ(changes_of_lead(1s), 0);
    EXPECT_EQ(changes_of_lead(5s), 0);
    EXPECT_EQ(changes_of_lead(9s), 0);
    EXPECT_LE(changes_of_lead(11s), 10) << "each gives the lead away once in two minutes";
    EXPECT_LE(changes_of_lead(13s), 10);
    EXPECT_LE(changes_of_lead(30s), 10);
    EXPECT_EQ(changes_of_lead(60s), 10) << "it is right to give it on when the disk is full in earnest";
}

} // namespace
} // namespace holdfast::broker
