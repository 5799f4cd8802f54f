// Three to five nodes with real logs on simulated disks, through crashes, power cuts, failed syncs, full,
// rotten and wiped disks and a network that does its worst: nothing answered OK is lost, all nodes hold the
// same, at most one leads in a term, and when the trouble ends the cluster works again.
//
//   HOLDFAST_SIMULATION_SECONDS  how long both simulations hunt together (50); four fifths of it are this
//                                one's
//   HOLDFAST_SIMULATION_SEED     the first seed; printed
#include "tests/simulation/cluster_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

namespace holdfast::simulation {
namespace {

TEST(cluster, keeps_its_promises) {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    const auto deadline =
        begin + std::chrono::seconds{number_from("HOLDFAST_SIMULATION_SECONDS", 50)} * 4 / 5;
    const auto first = number_from("HOLDFAST_SIMULATION_SEED", std::random_device{}());
    std::printf("HOLDFAST_SIMULATION_SEED=%llu\n", static_cast<unsigned long long>(first));
    cluster_tally sums;
    auto seed = first;
    for (; clock::now() < deadline; ++seed)
        ASSERT_EQ(tell(seed, sums).problem, "") << "HOLDFAST_SIMULATION_SEED=" << seed;
    const std::chrono::duration<double> took = clock::now() - begin;
    std::printf("%llu seeds, %.1f virtual minutes in %.1f s: %.0f in one minute\n",
                static_cast<unsigned long long>(seed - first),
                static_cast<double>(sums.length.count()) / 60'000, took.count(),
                static_cast<double>(sums.length.count()) / 1'000 / took.count());
    print(sums.marks);
    EXPECT_GT(sums.marks.answered, 0U);
}

// Always the same seeds; they go through every rare branch.
TEST(cluster, keeps_its_promises_for_the_known_seeds) {
    cluster_tally sums;
    for (std::uint64_t seed = 1; seed <= 200; ++seed)
        ASSERT_EQ(tell(seed, sums).problem, "") << "seed " << seed;
    const auto& marks = sums.marks;
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
    EXPECT_GT(marks.failed_reads, 0U);
    EXPECT_GT(marks.mended, 0U);
    EXPECT_GT(marks.mended_starts, 0U);
    EXPECT_GT(marks.mended_in_use, 0U);
    EXPECT_GT(marks.unrepaired, 0U);
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
    EXPECT_GT(marks.power_cuts, 0U);
    EXPECT_GT(marks.processes_ended, 0U);
    EXPECT_GT(marks.deposed, marks.without_quorum);
    EXPECT_GT(marks.full_disks, 0U);
    EXPECT_GT(marks.starts_too_full, 0U);
    EXPECT_GT(marks.left_for_room, 0U);
    EXPECT_GT(marks.offsets_told, 0U);
    EXPECT_GT(marks.ends_told, 0U);
    EXPECT_GT(marks.not_told, 0U);
    EXPECT_GT(marks.old_stores, 0U);
    EXPECT_GT(marks.lost_stores, 0U);
    EXPECT_GT(marks.five_nodes, 0U);
    EXPECT_GT(marks.network.lost, 0U);
    EXPECT_GT(marks.network.repeated, 0U);
    EXPECT_GT(marks.network.late, 0U);
    EXPECT_GT(marks.network.stopped, 0U);
    EXPECT_THAT(marks.network.cuts, ::testing::Each(::testing::Gt(0U)));
}

// Nothing but the seed decides: not the clock, not where something lies in memory.
TEST(cluster, a_seed_is_one_run) {
    cluster_tally sums;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const auto once = tell(seed, sums);
        const auto again = tell(seed, sums);
        EXPECT_EQ(once.digest, again.digest) << "seed " << seed;
        EXPECT_NE(once.digest, tell(seed + 10, sums).digest);
    }
}

} // namespace
} // namespace holdfast::simulation
