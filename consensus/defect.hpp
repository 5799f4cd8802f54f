// The mistakes that the simulation must be able to catch. The product makes none of them: tests/simulation
// compiles raft*.cpp and broker/replica*.cpp three times more, each time with one (-DHOLDFAST_DEFECT=...),
// for test binaries only.
//
// For those .cpp files only, never for a header: what includes it differs between these builds.
#pragma once

#include <cstdint>

#ifndef HOLDFAST_DEFECT
#define HOLDFAST_DEFECT none
#endif

namespace holdfast::consensus {

enum class defect : std::uint8_t {
    none,
    vote_not_flushed,         // a vote is given that a power cut takes back
    acknowledged_too_early,   // a follower acknowledges what it has not flushed yet
    answered_before_majority, // a leader takes what it has flushed itself for committed, and answers
};

inline constexpr defect built_in = defect::HOLDFAST_DEFECT;

} // namespace holdfast::consensus
