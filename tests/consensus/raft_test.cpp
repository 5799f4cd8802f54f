// One raft, or a few with their messages carried by hand. What happens among replicas with disks is
// tests/simulation's.
#include "consensus/raft.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace holdfast::consensus {
namespace {

using ms = steady_ms;

log_position at(std::uint64_t position) {
    return log_position{position};
}

member node(const std::string& name, const std::string& life = "1") {
    return {name, name + life};
}

const std::vector<member> abc{node("a"), node("b"), node("c")};

raft_settings settings_of(const std::string& name) {
    raft_settings settings;
    settings.self = node(name);
    for (const auto& one : abc)
        if (one.name != name)
            settings.peers.push_back(one.name);
    settings.seed = static_cast<std::uint64_t>(name.front());
    return settings;
}

// A member of abc with a log of `end` bytes, all of term `last`, as after a restart.
raft member_of_three(const std::string& name, std::uint64_t end = 128, std::uint64_t last = 1,
                     std::uint64_t term = 1) {
    log_summary log;
    log.end = at(end);
    log.members = abc;
    if (end > 0)
        log.runs.note(at(0), term_number{last});
    raft made{settings_of(name), {term_number{term}, ""}, std::move(log)};
    actions out;
    made.start(ms{0}, out);
    EXPECT_TRUE(out.messages.empty());
    return made;
}

message from(const std::string& name, std::uint64_t term, message_body body) {
    return {node(name), "", term_number{term}, std::move(body)};
}

template <class Body>
std::vector<Body> said(const actions& out) {
    std::vector<Body> found;
    for (const auto& one : out.messages)
        if (const auto* const body = std::get_if<Body>(&one.body))
            found.push_back(*body);
    return found;
}

vote_request asks(const std::string& voter, std::uint64_t end = 128, std::uint64_t last = 1) {
    vote_request asked;
    asked.log_end = at(end);
    asked.last_term = term_number{last};
    asked.voter_incarnation = node(voter).incarnation;
    return asked;
}

bool grants(raft& voter, const vote_request& asked, std::uint64_t term, ms now,
            const std::string& candidate = "b") {
    actions out;
    voter.receive(from(candidate, term, asked), now, out);
    const auto answers = said<vote_answer>(out);
    EXPECT_EQ(answers.size(), 1U);
    return !answers.empty() && answers.front().is_granted;
}

// Leads in term 2 from a log of 128 bytes, own first entry [128, 256).
raft leader_of_three() {
    auto one = member_of_three("a");
    actions out;
    one.tick(ms{2'000}, out);
    one.receive(from("b", 2, vote_answer{true, true}), ms{2'000}, out);
    one.receive(from("b", 2, vote_answer{false, true}), ms{2'000}, out);
    EXPECT_TRUE(out.has_won);
    one.appended(at(128), term_number{2}, at(256));
    one.lead_from(at(256));
    return one;
}

append_answer matched(std::uint64_t flushed, std::uint64_t sequence = 1) {
    append_answer answer;
    answer.is_matched = true;
    answer.flushed = answer.log_end = at(flushed);
    answer.sequence = sequence;
    return answer;
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
    raft_settings settings;
    settings.self = node("a");
    raft alone{settings, {term_number{6}, ""}, {}};
    actions out;
    alone.start(ms{0}, out);
    EXPECT_TRUE(out.has_won);
    ASSERT_TRUE(out.persist);
    EXPECT_EQ(*out.persist, (hard_vote{term_number{7}, "a"}));
    EXPECT_EQ(alone.current_role(), role::leader);
}

// Thesis 3.6.2, figure 3.7: an entry of an older term may be on a majority and still be overwritten.
TEST(raft, an_entry_of_an_older_term_is_not_committed_by_counting) {
    auto leader = leader_of_three();
    EXPECT_FALSE(leader.flushed(at(128)));
    actions out;
    leader.receive(from("b", 2, matched(128)), ms{2'000}, out);
    EXPECT_EQ(leader.commit(), at(0)) << "on a majority, but all of it of an older term";
    EXPECT_FALSE(leader.flushed(at(256)));
    leader.receive(from("b", 2, matched(256)), ms{2'000}, out);
    EXPECT_EQ(leader.commit(), at(256)) << "with the first own entry everything before it";
    EXPECT_TRUE(leader.commits_own_term());
}

TEST(raft, the_leaders_own_disk_need_not_be_among_the_majority) {
    auto leader = leader_of_three();
    actions out;
    leader.receive(from("b", 2, matched(256)), ms{2'000}, out);
    EXPECT_EQ(leader.commit(), at(0));
    leader.receive(from("c", 2, matched(256)), ms{2'000}, out);
    EXPECT_EQ(leader.commit(), at(256));
}

TEST(raft, an_acknowledgement_of_another_incarnation_does_not_count) {
    auto leader = leader_of_three();
    leader.flushed(at(256));
    actions out;
    leader.receive({node("b", "2"), "a", term_number{2}, matched(256)}, ms{2'000}, out);
    EXPECT_EQ(leader.commit(), at(0));
}

TEST(raft, asks_first_whether_an_election_is_worth_while) {
    auto one = member_of_three("a");
    actions out;
    one.tick(ms{900}, out);
    EXPECT_TRUE(out.messages.empty()) << "the election timeout is not over";
    one.tick(ms{1'600}, out);
    ASSERT_EQ(said<vote_request>(out).size(), 2U);
    EXPECT_TRUE(said<vote_request>(out).front().is_pre_vote);
    EXPECT_EQ(out.messages.front().term, term_number{2});
    EXPECT_EQ(one.term(), term_number{1}) << "nothing changes by asking";
    EXPECT_FALSE(out.persist);
    out = {};
    one.receive(from("c", 2, vote_answer{true, true}), ms{1'600}, out);
    EXPECT_EQ(one.term(), term_number{2});
    ASSERT_TRUE(out.persist);
    EXPECT_EQ(out.persist->vote, "a");
    EXPECT_FALSE(said<vote_request>(out).front().is_pre_vote);
    EXPECT_FALSE(out.has_won);
    one.receive(from("c", 2, vote_answer{false, false}), ms{1'600}, out);
    EXPECT_FALSE(out.has_won);
    one.receive(from("b", 2, vote_answer{false, true}), ms{1'600}, out);
    EXPECT_TRUE(out.has_won);
}

TEST(raft, votes_once_a_term_and_durably_first) {
    auto voter = member_of_three("a");
    actions out;
    voter.receive(from("b", 2, asks("a")), ms{2'000}, out);
    ASSERT_TRUE(out.persist);
    EXPECT_EQ(*out.persist, (hard_vote{term_number{2}, "b"}));
    EXPECT_TRUE(grants(voter, asks("a"), 2, ms{2'000})) << "the same candidate may ask again";
    EXPECT_FALSE(grants(voter, asks("a"), 2, ms{2'000}, "c"));
    EXPECT_FALSE(grants(voter, asks("a"), 1, ms{2'000}, "c")) << "an old term";
    EXPECT_TRUE(grants(voter, asks("a"), 3, ms{2'000}, "c"));
}

// Thesis 3.6.1.
TEST(raft, votes_for_no_log_that_lacks_something) {
    auto voter = member_of_three("a", 256, 3, 3);
    EXPECT_FALSE(grants(voter, asks("a", 192, 3), 4, ms{2'000}));
    EXPECT_FALSE(grants(voter, asks("a", 4096, 2), 5, ms{2'000}));
    EXPECT_TRUE(grants(voter, asks("a", 256, 3), 6, ms{2'000}));
    EXPECT_TRUE(grants(voter, asks("a", 64, 4), 7, ms{2'000}));
}

// Thesis 4.2.3 and 9.6.
TEST(raft, votes_for_nobody_while_it_hears_a_leader_unless_that_one_asks_for_it) {
    auto voter = member_of_three("a");
    actions out;
    EXPECT_TRUE(voter.hear_leader(from("c", 1, append_request{}), ms{5'000}, out));
    auto asked = asks("a");
    asked.is_pre_vote = true;
    EXPECT_FALSE(grants(voter, asked, 2, ms{5'500}));
    asked.is_pre_vote = false;
    EXPECT_FALSE(grants(voter, asked, 2, ms{5'500}));
    EXPECT_EQ(voter.term(), term_number{1});
    asked.is_transfer = true;
    EXPECT_TRUE(grants(voter, asked, 2, ms{5'500}));
    EXPECT_EQ(voter.term(), term_number{2});
}

TEST(raft, a_lost_leader_ends_its_lease_and_a_silent_one_too) {
    auto voter = member_of_three("a");
    actions out;
    ASSERT_TRUE(voter.hear_leader(from("c", 1, append_request{}), ms{5'000}, out));
    auto asked = asks("a");
    asked.is_pre_vote = true;
    EXPECT_TRUE(grants(voter, asked, 2, ms{6'000}));
    voter.peer_lost("c", ms{5'100});
    EXPECT_TRUE(grants(voter, asked, 2, ms{5'100}));
    voter.tick(ms{5'201}, out);
    EXPECT_EQ(voter.current_role(), role::candidate) << "it does not wait for the timeout";
}

TEST(raft, a_node_whose_disk_was_wiped_votes_for_nobody) {
    raft_settings settings = settings_of("a");
    settings.self = node("a", "2");
    raft wiped{settings, {}, {}};
    actions out;
    wiped.start(ms{0}, out);
    EXPECT_FALSE(grants(wiped, asks("a"), 2, ms{9'000})) << "they mean the one that was";
    EXPECT_EQ(wiped.term(), term_number{0});
    wiped.tick(ms{9'000}, out);
    EXPECT_TRUE(said<vote_request>(out).empty()) << "nor does it stand for election";
}

TEST(raft, a_vote_of_the_wiped_node_that_has_a_voters_name_does_not_count) {
    auto one = member_of_three("a");
    actions out;
    one.tick(ms{2'000}, out);
    one.receive(from("b", 2, vote_answer{true, true}), ms{2'000}, out);
    one.receive({node("c", "2"), "a", term_number{2}, vote_answer{false, true}}, ms{2'000}, out);
    EXPECT_FALSE(out.has_won);
}

// Thesis 6.2.
TEST(raft, a_leader_that_no_majority_answers_steps_down) {
    auto leader = leader_of_three();
    actions out;
    leader.receive(from("b", 2, matched(256)), ms{2'900}, out);
    leader.tick(ms{3'800}, out);
    EXPECT_FALSE(out.was_deposed);
    leader.tick(ms{3'901}, out);
    EXPECT_TRUE(out.was_deposed);
    EXPECT_EQ(leader.current_role(), role::follower);
    EXPECT_EQ(leader.term(), term_number{2});
}

TEST(raft, hears_only_the_leader_of_the_current_term) {
    auto one = member_of_three("a", 128, 1, 4);
    actions out;
    EXPECT_FALSE(one.hear_leader(from("b", 3, append_request{}), ms{0}, out));
    ASSERT_EQ(out.messages.size(), 1U);
    EXPECT_EQ(out.messages.front().term, term_number{4}) << "so that the old leader learns of it";
    EXPECT_TRUE(one.hear_leader(from("b", 5, append_request{}), ms{0}, out));
    EXPECT_EQ(*out.persist, (hard_vote{term_number{5}, ""}));
    EXPECT_EQ(one.leader(), "b");
}

// Thesis 3.10.
TEST(raft, leadership_goes_to_the_best_follower_that_is_reachable) {
    auto leader = leader_of_three();
    leader.flushed(at(256));
    actions out;
    leader.receive(from("b", 2, matched(256)), ms{2'000}, out);
    out = {};
    leader.transfer(out);
    EXPECT_TRUE(out.messages.empty()) << "nobody is connected";
    leader.peer_found(node("c"), false, ms{2'000});
    leader.transfer(out);
    EXPECT_TRUE(out.messages.empty()) << "it lacks what is committed";
    leader.peer_found(node("b"), false, ms{2'000});
    leader.transfer(out);
    ASSERT_EQ(said<timeout_now>(out).size(), 1U);
    EXPECT_EQ(out.messages.back().to, "b");

    auto follower = member_of_three("b", 256, 2, 2);
    out = {};
    follower.receive(from("a", 2, timeout_now{}), ms{10}, out);
    EXPECT_EQ(follower.term(), term_number{3});
    ASSERT_EQ(said<vote_request>(out).size(), 2U);
    EXPECT_TRUE(said<vote_request>(out).front().is_transfer);
}

TEST(raft, a_retired_leader_hands_over_and_says_nothing_more) {
    auto leader = leader_of_three();
    leader.peer_found(node("b"), false, ms{2'000});
    actions out;
    leader.receive(from("b", 2, matched(256)), ms{2'000}, out);
    out = {};
    leader.retire(out);
    EXPECT_EQ(said<timeout_now>(out).size(), 1U);
    EXPECT_TRUE(out.was_deposed);
    out = {};
    leader.tick(ms{9'000}, out);
    leader.receive(from("b", 9, asks("a", 4096, 8)), ms{9'000}, out);
    EXPECT_FALSE(leader.hear_leader(from("b", 9, append_request{}), ms{9'000}, out));
    EXPECT_TRUE(out.messages.empty());
}

// One that was under way for long says how little the follower had once, and retention has taken that since.
TEST(raft, a_follower_is_not_left_behind_by_a_late_refusal) {
    auto leader = leader_of_three();
    actions out;
    leader.peer_found(node("b"), false, ms{2'000});
    leader.receive(from("b", 2, matched(256)), ms{2'000}, out);
    leader.appended(at(256), term_number{2}, at(512));
    leader.replicate(at(512), ms{2'000}, out);
    ASSERT_TRUE(leader.request_for("b", at(256), {shared_bytes::copy_of(byte_view{})}, at(512), ms{2'000}));
    append_answer refusal;
    refusal.log_end = at(128);
    refusal.sequence = 9;
    out = {};
    leader.receive(from("b", 2, refusal), ms{2'001}, out);
    ASSERT_EQ(out.wanted.size(), 1U);
    ASSERT_LT(out.wanted.front().first, at(128)) << "or there would be nothing to try here";
    EXPECT_FALSE(leader.go_on_at_matched("b", at(384))) << "it lacks what begins there";
    EXPECT_FALSE(leader.go_on_at_matched("c", at(256))) << "nobody knows what it has";
    ASSERT_TRUE(leader.go_on_at_matched("b", at(256)));
    const auto wanted = leader.wants("b");
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->first, at(256));
}

// --- a group's beginning, and its members
// -------------------------------------------------------------------

// What followers that lack 64 MiB of committed log are given of it. Five nodes: b and c have everything.
class catching_up : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const auto* const name : {"b", "c", "d", "e"})
            leader_.peer_found(node(name), false, now_);
        leader_.appended(at(256), term_number{2}, end_);
        actions out;
        leader_.replicate(end_, now_, out);
        have_all(out);
        ASSERT_TRUE(leader_.flushed(end_) || leader_.commit() == end_);
        append_answer empty;
        empty.sequence = 9;
        for (const auto* const name : {"d", "e"})
            leader_.receive(from(name, 2, empty), now_, out);
        serve(out);
        given_.clear();
    }

    static raft leader_of_five() {
        log_summary log;
        log.end = at(128);
        log.members = {node("a"), node("b"), node("c"), node("d"), node("e")};
        log.runs.note(at(0), term_number{1});
        auto settings = settings_of("a");
        settings.peers = {"b", "c", "d", "e"};
        raft one{std::move(settings), {term_number{1}, ""}, std::move(log)};
        actions out;
        one.start(ms{0}, out);
        one.tick(ms{2'000}, out);
        for (const bool is_pre_vote : {true, false})
            for (const auto* const name : {"b", "c"})
                one.receive(from(name, 2, vote_answer{is_pre_vote, true}), ms{2'000}, out);
        EXPECT_TRUE(out.has_won);
        one.appended(at(128), term_number{2}, at(256));
        one.lead_from(at(256));
        return one;
    }

    void have_all(actions& out) {
        ++sequence_;
        for (const auto* const name : {"b", "c"})
            leader_.receive(from(name, 2, matched(end_.value(), sequence_)), now_, out);
    }

    // Sends what is asked for, in pieces of `most_bytes`, and has it acknowledged at once.
    void serve(const actions& first) {
        auto wanted = first.wanted;
        while (!wanted.empty()) {
            const auto asked = wanted.back();
            wanted.pop_back();
            if (asked.to == "b" || asked.to == "c")
                continue;
            const auto last = asked.first + asked.most_bytes;
            ASSERT_TRUE(
                leader_.request_for(asked.to, asked.first, {shared_bytes::copy_of(byte_view{})}, last, now_));
            given_[asked.to] += asked.most_bytes;
            actions out;
            leader_.receive(from(asked.to, 2, matched(last.value(), ++sequence_)), now_, out);
            wanted.insert(wanted.end(), out.wanted.begin(), out.wanted.end());
        }
    }

    // Some milliseconds in which the log grows; b and c have it at once.
    void pass(std::uint64_t grows, ms time = ms{1}) {
        now_ += time;
        actions out;
        if (grows > 0) {
            leader_.appended(end_, term_number{2}, end_ + grows);
            end_ = end_ + grows;
            leader_.replicate(end_, now_, out);
            (void)leader_.flushed(end_);
            have_all(out);
        } else {
            leader_.tick(now_, out);
        }
        serve(out);
    }

    void expect_each_given(std::uint64_t bytes) {
        for (const auto* const name : {"d", "e"})
            EXPECT_NEAR(static_cast<double>(given_[name]), static_cast<double>(bytes), 256U << 10U) << name;
    }

    raft leader_ = leader_of_five();
    ms now_{2'000};
    log_position end_ = at(64U << 20U);
    std::uint64_t sequence_ = 9;
    std::map<std::string, std::uint64_t> given_;
};

TEST_F(catching_up, goes_as_much_faster_than_the_log_grows_as_the_settings_say) {
    for (int i = 0; i < 500; ++i)
        pass(10'000);
    expect_each_given((16U << 20U) + 500 * 10'000);
}

TEST_F(catching_up, loses_nothing_of_what_it_may_have_when_the_log_grows_in_large_steps) {
    for (int i = 0; i < 300; ++i)
        pass(500U << 10U, ms{3});
    expect_each_given((32U << 20U) * 9 / 10 + 300 * (500U << 10U));
}

TEST_F(catching_up, loses_nothing_between_ticks_that_are_far_apart) {
    for (int i = 0; i < 20; ++i) {
        pass(100'000, ms{10});
        pass(0, ms{33});
    }
    expect_each_given((32U << 20U) * 86 / 100 + 20 * 100'000);
}

TEST_F(catching_up, goes_at_once_when_the_log_rests) {
    for (int i = 0; i < 210; ++i)
        pass(0);
    EXPECT_GT(given_["d"], (50U << 20U)); // up to where it is not far behind
}

// Offsets are committed all the time, and nobody's latency is in them.
TEST_F(catching_up, goes_at_once_when_the_log_hardly_grows) {
    for (int i = 0; i < 100; ++i) {
        pass(400);
        pass(0);
    }
    for (int i = 0; i < 5; ++i) {
        pass(400);
        pass(0);
    }
    EXPECT_GT(given_["d"], (50U << 20U));
}

// A large entry before it is on its way, and the link may be slow.
TEST(raft, an_entry_that_the_window_has_no_room_for_waits_until_nothing_is_on_its_way) {
    auto leader = leader_of_three();
    const ms now{2'000};
    leader.peer_found(node("c"), false, now);
    actions out;
    leader.receive(from("c", 2, matched(256, 9)), now, out);
    constexpr std::uint64_t large = 14U << 20U;
    const auto bytes = shared_bytes::copy_of(std::vector<std::byte>(large));
    const auto first = at(256);
    leader.appended(first, term_number{2}, first + large);
    leader.appended(first + large, term_number{2}, first + 2 * large);
    out = {};
    leader.replicate(first + 2 * large, now, out);
    ASSERT_EQ(out.wanted.size(), 1U);
    EXPECT_TRUE(leader.request_for("c", first, {bytes}, first + large, now));
    const auto second = leader.wants("c");
    ASSERT_TRUE(second) << "there is room for smaller ones";
    EXPECT_FALSE(leader.request_for("c", second->first, {bytes}, first + 2 * large, now));
    EXPECT_FALSE(leader.wants("c")) << "it is known now how large it is";
    out = {};
    leader.receive(from("c", 2, matched((first + large).value(), 12)), now, out);
    ASSERT_EQ(out.wanted.size(), 1U);
    EXPECT_TRUE(leader.request_for("c", first + large, {bytes}, first + 2 * large, now));
}

// Many may ask whether this node still leads; entries that were lost on the way are asked for all the same.
TEST(raft, questions_for_its_standing_do_not_keep_heartbeats_away) {
    auto leader = leader_of_three();
    leader.peer_found(node("c"), false, ms{2'000});
    actions out;
    leader.receive(from("c", 2, matched(256, 9)), ms{2'000}, out);
    leader.appended(at(256), term_number{2}, at(320));
    out = {};
    leader.replicate(at(320), ms{2'000}, out);
    ASSERT_EQ(out.wanted.size(), 1U) << "and it is never heard of again";
    out = {};
    for (int passed = 30; passed < 200; passed += 30) {
        leader.ask_standing(ms{2'000 + passed}, out);
        leader.tick(ms{2'000 + passed}, out);
    }
    EXPECT_FALSE(out.wanted.empty());
}

// Appends go on (offsets, transactions), so that it seldom has everything just when it is looked at.
TEST(raft, the_lead_is_given_at_the_moment_when_the_other_has_everything) {
    auto leader = leader_of_three();
    leader.peer_found(node("c"), false, ms{2'000});
    actions out;
    leader.receive(from("c", 2, matched(192, 9)), ms{2'000}, out);
    out = {};
    leader.transfer_to("c", ms{2'000}, out);
    EXPECT_TRUE(said<timeout_now>(out).empty());
    leader.receive(from("b", 2, matched(256, 10)), ms{2'100}, out);
    EXPECT_TRUE(said<timeout_now>(out).empty()) << "b is not meant";
    leader.receive(from("c", 2, matched(256, 10)), ms{2'100}, out);
    ASSERT_EQ(said<timeout_now>(out).size(), 1U);
    EXPECT_EQ(out.messages.front().to, "c");
    leader.receive(from("c", 2, matched(256, 11)), ms{2'100}, out);
    EXPECT_EQ(said<timeout_now>(out).size(), 1U) << "once";
    leader.appended(at(256), term_number{2}, at(320));
    out = {};
    leader.transfer_to("c", ms{2'200}, out);
    leader.receive(from("c", 2, matched(320, 12)), ms{3'200}, out);
    EXPECT_TRUE(said<timeout_now>(out).empty()) << "nobody wants it any more";
}

TEST(raft, a_group_forms_when_all_its_nodes_are_there_and_empty) {
    raft one{settings_of("a"), {}, {}};
    actions out;
    one.start(ms{0}, out);
    one.peer_found(node("b"), true, ms{0});
    EXPECT_TRUE(one.members().empty());
    one.peer_found({"stranger", "x"}, true, ms{0});
    EXPECT_TRUE(one.members().empty());
    one.peer_found(node("c"), false, ms{0});
    EXPECT_TRUE(one.members().empty()) << "one has data: this node lost its disk";
    one.peer_found(node("c"), true, ms{0});
    EXPECT_EQ(one.members(), abc);
}

TEST(raft, a_node_with_a_log_forms_no_group) {
    log_summary log;
    log.end = at(128);
    log.runs.note(at(0), term_number{1});
    raft one{settings_of("a"), {}, log};
    one.peer_found(node("b"), true, ms{0});
    one.peer_found(node("c"), true, ms{0});
    EXPECT_TRUE(one.members().empty());
}

// Thesis 4.1: one at a time; first without the old one, then with the new one.
TEST(raft, a_wiped_node_is_replaced_in_two_steps_once_it_has_everything) {
    auto leader = leader_of_three();
    leader.flushed(at(256));
    leader.peer_found(node("b"), false, ms{2'000});
    const auto wiped = node("c", "2");
    leader.peer_found(wiped, true, ms{2'000});
    const auto next = [&] { return leader.next_members(at(128), 64, ms{2'000}); };
    actions out;
    leader.receive(from("b", 2, matched(256, 9)), ms{2'000}, out);
    EXPECT_TRUE(leader.commits_own_term());
    EXPECT_FALSE(next()) << "it has nothing";
    leader.replicate(at(256), ms{2'000}, out); // asks where it stands
    leader.receive({wiped, "a", term_number{2}, matched(256, 9)}, ms{2'000}, out);
    const auto without = next();
    ASSERT_TRUE(without);
    EXPECT_EQ(*without, (std::vector<member>{node("a"), node("b")}));
    leader.set_members(*without);
    EXPECT_FALSE(leader.next_members(at(320), 64, ms{2'000})) << "the change is not committed";
    const auto with = next();
    ASSERT_TRUE(with);
    EXPECT_EQ(*with, (std::vector<member>{node("a"), node("b"), wiped}));
    leader.set_members(*with);
    EXPECT_FALSE(next());
    // News of the one that was, held up on the way, brings it not back.
    leader.receive(from("c", 2, matched(256, 10)), ms{2'000}, out);
    EXPECT_FALSE(next());
    leader.receive({wiped, "a", term_number{2}, matched(256, 11)}, ms{2'000}, out);
    EXPECT_FALSE(leader.next_members(at(128), 64, ms{9'000})) << "nobody was heard";
}

} // namespace
} // namespace holdfast::consensus
