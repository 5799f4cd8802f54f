// What the leader knows of one other node: how much of the log it has, and what is on its way to it.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast::consensus {

// Time that never jumps, since an arbitrary start.
using steady_ms = std::chrono::milliseconds;

struct progress {
    std::string incarnation; // of who answered last; empty = not heard of yet
    // Everything below is flushed there and the same as here.
    log_position matched;
    // What is sent next. Beyond `matched` it is on its way, not yet on the other's disk.
    log_position next;
    log_position commit_told; // the last one it was sent
    // Whether the logs agree up to `next` is not known: one question at a time, without entries.
    bool is_probing = true;
    // The owner is fetching the entries at `next` from the log.
    bool is_reading = false;
    std::uint64_t sequence = 0;   // of the last request
    std::uint64_t rewound_at = 0; // answers to requests up to this one are about an older `next`
    // Read index: whether it has answered this request or a later one.
    std::uint64_t standing_asked = 0;
    bool has_confirmed = false;
    // The entry at `next`, when it was too large to be sent behind what is on its way; 0: not known.
    std::uint64_t next_bytes = 0;
    // What it may be sent while it is far behind; below 0: it was sent more than that.
    std::int64_t catch_up_credit = 0;
    steady_ms sent{0};
    steady_ms heard{0};
};

} // namespace holdfast::consensus
