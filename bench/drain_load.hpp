// Reads a backlog: with the client library's push consumer, or with bare pulls on one connection.
#pragma once

#include "bench/latency_histogram.hpp"
#include "bench/load_options.hpp"

namespace holdfast::bench {

struct drain_figures {
    std::uint64_t messages = 0;
    double seconds = 0;       // from the first message to the last
    double first_seconds = 0; // from the start to the first message
    std::uint64_t sent_back = 0;
    latency_histogram lateness; // of messages that say when they are due, to the millisecond
};

// Both end after options.count messages (0: when none has come for two seconds).
drain_figures run_push(const load_options& options);
drain_figures run_pulls(const load_options& options);

} // namespace holdfast::bench
