// The scripts in scripts/*.txt, one test each. When the replica does something else, the failure shows the
// whole script as it really runs.
#include "broker/replica.hpp"

#include "tests/broker/replica_script.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace holdfast::broker {
namespace {

std::vector<std::string> script_names() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator{REPLICA_SCRIPTS})
        if (file.path().extension() == ".txt")
            names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

class replica_script : public ::testing::TestWithParam<std::string> {};

TEST_P(replica_script, runs_as_written) {
    std::ifstream file{std::filesystem::path{REPLICA_SCRIPTS} / (GetParam() + ".txt")};
    const std::string script{std::istreambuf_iterator<char>{file}, {}};
    ASSERT_FALSE(script.empty());
    const auto run = testing::run_replica_script(script);
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, replica_script, ::testing::ValuesIn(script_names()),
                         [](const auto& script) { return script.param; });

// a, one of three, with an empty log.
replica empty_member() {
    replica_settings settings;
    settings.raft.self = {"a", "a1"};
    settings.raft.peers = {"b", "c"};
    settings.max_entry_size = 1U << 20U;
    replica_log log;
    log.applied.geometry = {log_position{0}, 1U << 20U, 1U << 20U};
    replica made{std::move(settings), std::move(log), state{}};
    (void)made.step(started{});
    return made;
}

template <class Body>
effects hears(replica& which, Body body) {
    return which.step(message_received{{{"b", "b1"}, "a", term_number{1}, std::move(body)}, steady_ms{0}});
}

TEST(replica, answers_questions_for_its_standing_when_it_has_ended) {
    auto one = empty_member();
    ASSERT_TRUE(hears(one, consensus::begin_request{log_position{1U << 20U}}).begin_at);
    const auto told = one.step(standing_asked{standing_ticket{7}, steady_ms{0}});
    ASSERT_EQ(told.standings.size(), 1U);
    EXPECT_EQ(told.standings.front().ticket, standing_ticket{7});
    EXPECT_FALSE(told.standings.front().is_leading);
}

TEST(replica, remembers_what_is_committed_without_having_it) {
    auto one = empty_member();
    consensus::append_request heartbeat;
    heartbeat.previous_end = heartbeat.commit = log_position{4'096};
    hears(one, heartbeat);
    EXPECT_EQ(one.committed(), log_position{0});
    EXPECT_EQ(one.commit_told(), log_position{4'096});
}

} // namespace
} // namespace holdfast::broker
