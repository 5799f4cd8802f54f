#include "consensus/term_runs.hpp"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::consensus {
namespace {

// A log as the entries' terms; entry i is [64 i, 64 i + 64).
using entry_terms = std::vector<std::uint64_t>;

log_position end_of(const entry_terms& log) {
    return log_position{64 * log.size()};
}

term_runs runs_of(const entry_terms& log) {
    term_runs runs;
    for (std::size_t i = 0; i < log.size(); ++i)
        runs.note(log_position{64 * i}, term_number{log[i]});
    return runs;
}

std::size_t common_entries(const entry_terms& one, const entry_terms& other) {
    std::size_t count = 0;
    while (count < one.size() && count < other.size() && one[count] == other[count])
        ++count;
    return count;
}

// Logs as Raft makes them: the stretch of a term is one, the same one everywhere, and each log has a
// beginning of it. Each new leader's log is one that is there, cut at any place.
std::vector<entry_terms> grow_logs(std::mt19937_64& random) {
    std::vector<entry_terms> logs{{}, {}, {}, {}};
    for (std::uint64_t term = 1; term <= 1 + random() % 12; ++term) {
        auto leader = logs[random() % logs.size()];
        leader.insert(leader.end(), 1 + random() % 5, term);
        for (auto& log : logs) {
            if (random() % 2 == 0)
                continue;
            const auto followed = common_entries(log, leader);
            const auto reached = followed + random() % (leader.size() - followed + 1);
            if (reached > followed)
                log.assign(leader.begin(), leader.begin() + static_cast<std::ptrdiff_t>(reached));
        }
    }
    return logs;
}

TEST(term_runs, know_the_term_of_every_entry) {
    const entry_terms log{1, 1, 4, 5, 5, 5};
    const auto runs = runs_of(log);
    EXPECT_EQ(runs.all().size(), 3U);
    EXPECT_EQ(runs.last(), term_number{5});
    EXPECT_EQ(runs.term_before(log_position{0}), term_number{0});
    for (std::size_t i = 0; i < log.size(); ++i) {
        EXPECT_EQ(runs.term_at(log_position{64 * i}), term_number{log[i]});
        EXPECT_EQ(runs.term_before(log_position{64 * i + 64}), term_number{log[i]});
    }
}

TEST(term_runs, truncation_and_retention_are_as_if_the_rest_had_never_been) {
    const entry_terms log{1, 1, 4, 5, 5, 5};
    for (std::size_t kept = 0; kept <= log.size(); ++kept) {
        auto runs = runs_of(log);
        runs.truncate(log_position{64 * kept});
        EXPECT_EQ(runs, runs_of({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(kept)}));
    }
    auto runs = runs_of(log);
    runs.drop_before(log_position{64 * 3});
    EXPECT_EQ(runs.all().size(), 1U);
    EXPECT_EQ(runs.term_at(log_position{64 * 4}), term_number{5});
}

TEST(term_runs, beyond_begins_with_the_run_around) {
    const auto runs = runs_of({1, 1, 4, 5, 5, 5});
    EXPECT_EQ(runs.beyond(log_position{0}, 9).size(), 3U);
    EXPECT_EQ(runs.beyond(log_position{64}, 9).size(), 3U);
    EXPECT_EQ(runs.beyond(log_position{128}, 9).front().term, term_number{4});
    EXPECT_EQ(runs.beyond(log_position{640}, 9).front().term, term_number{5});
    EXPECT_EQ(runs.beyond(log_position{0}, 2).back().term, term_number{4});
}

// Against two lists of entries, laid side by side.
TEST(agreement, never_claims_too_much_and_reaches_the_end_of_what_is_common) {
    std::mt19937_64 random{7};
    std::size_t conflicts = 0;
    for (int round = 0; round < 3'000; ++round) {
        const auto logs = grow_logs(random);
        for (const auto& ours : logs)
            for (const auto& theirs : logs) {
                const auto common = common_entries(ours, theirs);
                const log_position floor{64 * (random() % (common + 1))};
                const auto found = agreement(runs_of(ours), end_of(ours), runs_of(theirs).beyond(floor, 99),
                                             end_of(theirs), floor);
                ASSERT_EQ(found, log_position{64 * common});
                conflicts += common < ours.size() && common < theirs.size() ? 1 : 0;
            }
    }
    EXPECT_GT(conflicts, 1'000U);
}

} // namespace
} // namespace holdfast::consensus
