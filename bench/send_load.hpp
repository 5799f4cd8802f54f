// Sends, on one thread, over any number of connections.
//
// Closed loop: every connection keeps `outstanding` sends without an answer. Open loop: sends are due at a
// fixed rate, and a latency counts from the moment the send was due, also when it had to wait for its turn
// (free of coordinated omission).
#pragma once

#include "bench/latency_histogram.hpp"
#include "bench/load_options.hpp"

namespace holdfast::bench {

struct send_figures {
    latency_histogram latencies; // of answers after the warm-up
    double seconds = 0;
    std::uint64_t refused = 0; // answers that are not SUCCESS
    std::string refusal;       // what the first of them said
};

send_figures run_sends(const load_options& options);

} // namespace holdfast::bench
