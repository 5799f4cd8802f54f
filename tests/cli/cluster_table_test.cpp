#include "cli/cluster_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using protocol::cluster_status;
using protocol::replica_role;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr log_position end{5'000'000};

cluster_status follower(const std::string& name, log_position appended = end) {
    return {.group = "g",
            .node = name,
            .role = replica_role::follower,
            .term = term_number{3},
            .leader = "a",
            .members = {{.name = "a"}, {.name = "b"}, {.name = "c"}},
            .watermarks = {.appended = appended, .flushed = appended, .committed = appended}};
}

cluster_status leader() {
    auto status = follower("a");
    status.role = replica_role::leader;
    status.followers = {{.name = "b", .matched = end, .last_heard_ms = 20, .state = "replicating"},
                        {.name = "c", .matched = end, .last_heard_ms = 30, .state = "replicating"}};
    return status;
}

node_answer from(cluster_status status) {
    auto asked = "127.0.0.1:" + status.node;
    return {std::move(asked), std::move(status)};
}

TEST(cluster_table, of_a_healthy_cluster) {
    const std::vector<node_answer> answers{from(leader()), from(follower("b")), from(follower("c"))};
    EXPECT_THAT(cluster_problems(answers), IsEmpty());
    EXPECT_EQ(
        cluster_table(answers),
        "node  role      term  first  appended  flushed  committed  applied  lag      heard  state\n"
        "a     leader       3      0   5000000  5000000    5000000        0    -          -\n"
        "b     follower     3      0   5000000  5000000    5000000        0    0  20 ms ago  replicating\n"
        "c     follower     3      0   5000000  5000000    5000000        0    0  30 ms ago  replicating\n");
}

TEST(cluster_table, shows_members_that_nobody_asked_as_the_leader_sees_them) {
    const std::vector<node_answer> answers{from(leader())};
    EXPECT_THAT(cluster_problems(answers), IsEmpty()) << "the leader's word is enough";
    EXPECT_THAT(cluster_table(answers), AllOf(HasSubstr("\nb     ?"), HasSubstr("20 ms ago  replicating\n")));
}

TEST(cluster_table, shows_who_does_not_answer) {
    const std::vector<node_answer> answers{
        from(leader()), from(follower("b")), {"127.0.0.1:9878", error{errc::unavailable, "refused"}}};
    EXPECT_THAT(cluster_table(answers), HasSubstr("127.0.0.1:9878: unreachable: refused\n"));
    EXPECT_THAT(cluster_problems(answers), ElementsAre("127.0.0.1:9878 does not answer"));
    EXPECT_EQ(cluster_table({{"127.0.0.1:1", error{errc::timed_out, "late"}}}),
              "127.0.0.1:1: unreachable: late\n");
}

TEST(cluster_problems, are_replicas_too_far_behind_or_silent) {
    auto status = leader();
    status.followers[0].lag_bytes = most_lag_bytes;
    EXPECT_THAT(cluster_problems({from(status)}), IsEmpty());
    status.followers[0].lag_bytes = most_lag_bytes + 1;
    EXPECT_THAT(cluster_problems({from(status)}), ElementsAre("b is 1048577 bytes behind the leader, a"));
    status.followers[0] = {.name = "b", .last_heard_ms = most_silence_ms + 5'000};
    status.followers[1].last_heard_ms = -1;
    EXPECT_THAT(cluster_problems({from(status)}),
                ElementsAre(HasSubstr("last heard of b 15 s ago"), HasSubstr("never heard of c")));
    status.followers.clear();
    EXPECT_THAT(cluster_problems({from(status)}),
                ElementsAre(HasSubstr("nothing to say about b"), HasSubstr("nothing to say about c")));
}

TEST(cluster_problems, are_leaders_that_are_missing_or_deposed) {
    EXPECT_THAT(cluster_problems({from(follower("b"))}),
                ElementsAre(AllOf(HasSubstr("b says that a is the leader"), HasSubstr("--namesrv"))));
    auto lost = follower("b");
    lost.leader.clear();
    lost.role = replica_role::candidate;
    EXPECT_THAT(cluster_problems({from(lost)}), ElementsAre(HasSubstr("there is no leader")));
    lost.term = term_number{4};
    EXPECT_THAT(cluster_problems({from(leader()), from(lost)}),
                ElementsAre("b is in term 4, its leader, a, only in 3: an election goes on"));
}

TEST(cluster_problems, believe_the_leader_of_the_latest_term) {
    auto next = leader();
    next.node = next.leader = "b";
    next.term = term_number{4};
    next.followers[0].name = "a";
    next.followers[1].lag_bytes = 20U << 20U;
    EXPECT_THAT(cluster_problems({from(leader()), from(next)}),
                ElementsAre("c is 20971520 bytes behind the leader, b"));
    EXPECT_THAT(cluster_table({from(leader()), from(next), from(follower("c"))}),
                AllOf(HasSubstr("20 MiB"), Not(HasSubstr("?"))));
}

TEST(cluster_problems, are_nodes_of_several_groups) {
    auto other = follower("b");
    other.group = "h";
    EXPECT_THAT(cluster_problems({from(leader()), from(other)}),
                ElementsAre(HasSubstr("2 groups (g, h, ...)")));
}

} // namespace
} // namespace holdfast::cli
