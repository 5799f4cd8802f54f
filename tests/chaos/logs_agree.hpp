// What can be said of the nodes' data when all of them are stopped.
#pragma once

#include "base/ids.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::chaos {

// The logs in these data directories hold the same entries, but for each replica's own flush marks, from the
// place where all of them have begun to `committed`. What is different; empty = nothing.
std::string logs_agree(const std::vector<std::filesystem::path>& nodes, log_position committed);

// `holdfast audit` finds nothing wrong; else what it says.
std::string audited(const std::filesystem::path& node);

} // namespace holdfast::chaos
