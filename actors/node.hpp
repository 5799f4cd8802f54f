// One Holdfast node: boots its replica, starts its actors and its ports, serves until it is told to stop.
#pragma once

#include "config/node_config.hpp"

namespace holdfast::actors {

// Runs until SIGTERM or SIGINT; prints one line that begins with "ready" on standard output as soon as
// clients are answered. 0: stopped in good order, everything that was answered OK is on disk (it was before,
// too). 1: it could not start; the log says why.
int run_node(const config::node_config& config);

} // namespace holdfast::actors
