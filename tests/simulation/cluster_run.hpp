// One story of a cluster, as the tests tell it.
#pragma once

#include "tests/simulation/cluster_story.hpp"

#include <string>

namespace holdfast::simulation {

struct cluster_tally {
    cluster_marks marks;
    virtual_ms length{0};
    cluster_tally& operator+=(const cluster_tally& other);
};

struct told_story {
    std::string problem; // empty = none
    std::uint64_t digest = 0;
};

// How many nodes there are, and whether they flush before they answer, is the seed's decision.
told_story tell(std::uint64_t seed, cluster_tally& sums, bool is_canary = false);

[[nodiscard]] std::uint64_t number_from(const char* variable, std::uint64_t otherwise);

void print(const cluster_marks& marks);

} // namespace holdfast::simulation
