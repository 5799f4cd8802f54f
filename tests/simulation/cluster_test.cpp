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

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::simulation {
namespace {

using clock = std::chrono::steady_clock;

// Seeds one after the other, as many at once as there are cores, until the time is over or one fails.
class hunt {
  public:
    hunt(std::uint64_t first, clock::time_point deadline) : next_(first), deadline_(deadline) {
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
            threads.emplace_back([this] { run(); });
        for (auto& each : threads)
            each.join();
    }
    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] const cluster_tally& sums() const { return sums_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    void run() {
        cluster_tally own;
        while (clock::now() < deadline_ && !has_failed_) {
            const auto seed = next_++;
            const auto problem = tell(seed, own).problem;
            if (problem.empty())
                continue;
            has_failed_ = true;
            const std::lock_guard lock{mutex_};
            problem_ += "HOLDFAST_SIMULATION_SEED=" + std::to_string(seed) + ": " + problem + "\n";
        }
        const std::lock_guard lock{mutex_};
        sums_ += own;
    }

    std::atomic<std::uint64_t> next_;
    const clock::time_point deadline_;
    std::atomic<bool> has_failed_{false};
    std::mutex mutex_;
    cluster_tally sums_;
    std::string problem_;
};

TEST(cluster, keeps_its_promises) {
    const auto begin = clock::now();
    const auto deadline =
        begin + std::chrono::seconds{number_from("HOLDFAST_SIMULATION_SECONDS", 50)} * 4 / 5;
    const auto first = number_from("HOLDFAST_SIMULATION_SEED", std::random_device{}());
    std::printf("HOLDFAST_SIMULATION_SEED=%llu\n", static_cast<unsigned long long>(first));
    const hunt all{first, deadline};
    const auto& sums = all.sums();
    ASSERT_EQ(all.problem(), "");
    const std::chrono::duration<double> took = clock::now() - begin;
    std::printf("%llu seeds, %.1f virtual minutes in %.1f s: %.0f in one minute\n",
                static_cast<unsigned long long>(all.next() - first),
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
