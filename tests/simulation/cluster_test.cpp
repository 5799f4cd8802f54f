// Three or five nodes with real logs on simulated disks, through crashes, power cuts, failed syncs, wiped
// disks and a network that does its worst: nothing answered OK is lost, all nodes hold the same, at most one
// leads in a term, and when the trouble ends the cluster works again. And the canaries: three drivers with
// one mistake each must be caught.
//
//   HOLDFAST_SIMULATION_SECONDS  how long the hunt lasts (10)
//   HOLDFAST_SIMULATION_SEED     the first seed; printed
#include "tests/simulation/cluster_story.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace holdfast::simulation {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A broken invariant ends the process; the seed is said all the same.
char seed_text[64];

void say_seed(int) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, seed_text, std::strlen(seed_text));
}

std::string tell(std::uint64_t seed, defect wrong, cluster_marks& marks, virtual_ms& length) {
    std::snprintf(seed_text, sizeof seed_text, "HOLDFAST_SIMULATION_SEED=%llu\n",
                  static_cast<unsigned long long>(seed));
    std::signal(SIGABRT, say_seed);
    cluster_story story{{seed, seed % 3 == 0 ? 5U : 3U, seed % 5 != 0 || wrong != defect::none, wrong},
                        marks};
    auto problem = story.run();
    length += story.length();
    marks.leaders += story.leaders();
    return problem;
}

void print(const cluster_marks& marks) {
    const std::pair<const char*, std::uint64_t> all[] = {
        {"batches answered", marks.answered},
        {"outcomes unknown", marks.unknown_outcomes},
        {"leaders", marks.leaders},
        {"votes refused", marks.votes_refused},
        {"pre-votes refused", marks.pre_votes_refused},
        {"leaders deposed", marks.deposed},
        {"of them for want of a quorum", marks.without_quorum},
        {"leaderships handed over", marks.transfers},
        {"tails truncated", marks.truncations},
        {"logs that parted", marks.rejections},
        {"reads for laggards", marks.old_reads},
        {"power cuts", marks.power_cuts},
        {"processes ended", marks.processes_ended},
        {"fenced", marks.fenced},
        {"disks wiped", marks.wiped},
        {"members replaced", marks.replaced},
        {"rotten logs that a start refused", marks.rot_refused},
        {"and that an audit found", marks.rot_found_later},
        {"trims", marks.trims},
        {"logs begun anew", marks.begun_anew},
        {"of them seeded", marks.seeded},
        {"transactions committed", marks.committed},
        {"rolled back", marks.rolled_back},
        {"decisions that came late", marks.late_decisions},
        {"decisions with wrong words", marks.wrong_decisions},
        {"deliveries of delayed messages", marks.deliveries},
        {"delayed messages called back", marks.cancelled},
        {"clocks set", marks.clock_jumps},
    };
    for (const auto& [what, count] : all)
        std::printf("  %8llu %s\n", static_cast<unsigned long long>(count), what);
}

TEST(cluster, keeps_its_promises) {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    const auto deadline = begin + std::chrono::seconds{number_from("HOLDFAST_SIMULATION_SECONDS", 10)};
    const auto first = number_from("HOLDFAST_SIMULATION_SEED", std::random_device{}());
    std::printf("HOLDFAST_SIMULATION_SEED=%llu\n", static_cast<unsigned long long>(first));
    cluster_marks marks;
    virtual_ms length{0};
    auto seed = first;
    for (; clock::now() < deadline; ++seed)
        ASSERT_EQ(tell(seed, defect::none, marks, length), "") << "HOLDFAST_SIMULATION_SEED=" << seed;
    const std::chrono::duration<double> took = clock::now() - begin;
    std::printf("%llu seeds, %.1f virtual minutes in %.1f s: %.0f in one minute\n",
                static_cast<unsigned long long>(seed - first), static_cast<double>(length.count()) / 60'000,
                took.count(), static_cast<double>(length.count()) / 1'000 / took.count());
    print(marks);
    EXPECT_GT(marks.answered, 0U);
}

// Always the same seeds; they go through every rare branch.
TEST(cluster, keeps_its_promises_for_the_known_seeds) {
    cluster_marks marks;
    virtual_ms length{0};
    for (std::uint64_t seed = 1; seed <= 200; ++seed)
        ASSERT_EQ(tell(seed, defect::none, marks, length), "") << "seed " << seed;
    print(marks);
    EXPECT_GT(marks.answered, 1'000U);
    EXPECT_GT(marks.leaders, 60U);
    EXPECT_GT(marks.votes_refused, 0U);
    EXPECT_GT(marks.pre_votes_refused, 0U);
    EXPECT_GT(marks.without_quorum, 0U);
    EXPECT_GT(marks.transfers, 0U);
    EXPECT_GT(marks.truncations, 0U);
    EXPECT_GT(marks.rejections, 0U);
    EXPECT_GT(marks.old_reads, 0U);
    EXPECT_GT(marks.fenced, 0U);
    EXPECT_GT(marks.replaced, 0U);
    EXPECT_GT(marks.rot_refused, 0U);
    EXPECT_GT(marks.rot_found_later, 0U);
    EXPECT_GT(marks.trims, 0U);
    EXPECT_GT(marks.begun_anew, 0U);
    EXPECT_GT(marks.seeded, 0U);
    EXPECT_GT(marks.committed, 0U);
    EXPECT_GT(marks.rolled_back, 0U);
    EXPECT_GT(marks.late_decisions, 0U);
    EXPECT_GT(marks.wrong_decisions, 0U);
    EXPECT_GT(marks.deliveries, 0U);
    EXPECT_GT(marks.cancelled, 0U);
    EXPECT_GT(marks.clock_jumps, 0U);
}

// How many of the first seeds catch it.
int catches(defect wrong, std::uint64_t seeds) {
    cluster_marks marks;
    virtual_ms length{0};
    int caught = 0;
    std::string first;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto problem = tell(seed, wrong, marks, length);
        caught += problem.empty() ? 0 : 1;
        if (first.empty() && !problem.empty())
            first = "seed " + std::to_string(seed) + " " + problem;
    }
    std::printf("%d of %llu caught it; the first: %s\n", caught, static_cast<unsigned long long>(seeds),
                first.c_str());
    return caught;
}

TEST(cluster, votes_that_are_not_saved_are_caught) {
    EXPECT_GT(catches(defect::votes_not_saved, 60), 0);
}

TEST(cluster, acknowledgements_before_the_flush_are_caught) {
    EXPECT_GT(catches(defect::flushes_late, 200), 0);
}

TEST(cluster, answers_before_the_commit_are_caught) {
    EXPECT_GT(catches(defect::answers_too_early, 20), 0);
}

} // namespace
} // namespace holdfast::simulation
