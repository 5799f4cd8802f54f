#include "tests/simulation/cluster_run.hpp"

#include <array>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace holdfast::simulation {
namespace {

// A broken invariant ends the process; the seed is said all the same.
thread_local char seed_text[64];

void say_seed(int) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, seed_text, std::strlen(seed_text));
}

} // namespace

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

cluster_tally& cluster_tally::operator+=(const cluster_tally& other) {
    using counts = std::array<std::uint64_t, sizeof(cluster_marks) / sizeof(std::uint64_t)>;
    auto sums = std::bit_cast<counts>(marks);
    const auto more = std::bit_cast<counts>(other.marks);
    for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] += more[i];
    marks = std::bit_cast<cluster_marks>(sums);
    length += other.length;
    return *this;
}

told_story tell(std::uint64_t seed, cluster_tally& sums, bool is_canary) {
    std::snprintf(seed_text, sizeof seed_text, "HOLDFAST_SIMULATION_SEED=%llu\n",
                  static_cast<unsigned long long>(seed));
    std::signal(SIGABRT, say_seed);
    const auto nodes = static_cast<std::size_t>(3 + seed % 3);
    cluster_story story{{seed, nodes, seed % 5 != 0 || is_canary, is_canary}, sums.marks};
    told_story told{story.run(), story.digest()};
    sums.length += story.length();
    sums.marks.leaders += story.leaders();
    sums.marks.five_nodes += nodes == 5 ? 1 : 0;
    return told;
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
        {"reads that failed", marks.failed_reads},
        {"stretches of rotten logs put right", marks.mended},
        {"starts that became possible by it", marks.mended_starts},
        {"repairs of nodes that served", marks.mended_in_use},
        {"rotten logs that nobody could put right", marks.unrepaired},
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
        {"full disks", marks.full_disks},
        {"starts that ended for want of room", marks.starts_too_full},
        {"followers without room left behind", marks.left_for_room},
        {"offsets told", marks.offsets_told},
        {"queue ends told", marks.ends_told},
        {"questions not answered", marks.not_told},
        {"starts with an older derived store", marks.old_stores},
        {"and with none", marks.lost_stores},
        {"clusters of five nodes", marks.five_nodes},
        {"messages lost", marks.network.lost},
        {"repeated", marks.network.repeated},
        {"late", marks.network.late},
        {"stopped by a cut", marks.network.stopped},
        {"nodes isolated", marks.network.cuts[0]},
        {"mute", marks.network.cuts[1]},
        {"deaf", marks.network.cuts[2]},
        {"links cut one way", marks.network.cuts[3]},
        {"and both ways", marks.network.cuts[4]},
        {"bridges", marks.network.cuts[5]},
        {"two halves", marks.network.cuts[6]},
    };
    for (const auto& [what, count] : all)
        std::printf("  %8llu %s\n", static_cast<unsigned long long>(count), what);
}

} // namespace holdfast::simulation
