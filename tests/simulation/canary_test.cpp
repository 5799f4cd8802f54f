// A build of the replica with one mistake (consensus/defect.hpp): the simulation must see it. The seeds are
// always the same.
#include "tests/simulation/cluster_run.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace holdfast::simulation {
namespace {

constexpr std::uint64_t seeds = 400;
constexpr int enough = 3;

TEST(canary, is_caught) {
    cluster_tally sums;
    int caught = 0;
    for (std::uint64_t seed = 1; seed <= seeds && caught < enough; ++seed) {
        const auto problem = tell(seed, sums, true).problem;
        if (problem.empty())
            continue;
        ++caught;
        std::printf("HOLDFAST_SIMULATION_SEED=%llu %s\n", static_cast<unsigned long long>(seed),
                    problem.c_str());
        EXPECT_EQ(problem.find("no progress"), std::string::npos) << "the mistake is another one";
    }
    EXPECT_EQ(caught, enough);
}

} // namespace
} // namespace holdfast::simulation
