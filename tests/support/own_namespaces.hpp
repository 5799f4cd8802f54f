// A network, or mounts, of this process and its children alone.
//
// Whatever is made inside has no name outside and is gone with the last process in it, however that ends, so
// a test can't leave anything behind.
#pragma once

#include <string>

namespace holdfast::testing {

// Moves this process into new namespaces, CLONE_NEWNET or CLONE_NEWNS: as root, or as the root of a user
// namespace of its own where users may have one. Only while it has one thread. Why it could not; empty =
// done.
[[nodiscard]] std::string enter_own_namespaces(int kinds);

// Runs a shell script, in the network namespace behind the descriptor unless that is -1. What went wrong;
// empty = nothing.
[[nodiscard]] std::string run_script(const std::string& script, int network = -1);

} // namespace holdfast::testing
