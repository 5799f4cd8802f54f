// How long a broker takes from its start to its first answered send.
#pragma once

#include "bench/load_options.hpp"

#include <vector>

namespace holdfast::bench {

// Starts `command`, which must serve on options.broker_port, and sends one message (to an auto-created topic)
// as soon as it can be sent. The broker is left running: its process id goes to stderr.
double milliseconds_to_first_answer(const load_options& options, const std::vector<std::string>& command);

} // namespace holdfast::bench
