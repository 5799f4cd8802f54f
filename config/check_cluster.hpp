// How the settings of a cluster go together. Private to load.cpp.
#pragma once

#include "base/result.hpp"
#include "config/node_config.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace holdfast::config {

// Where each key was given: "node.conf:12" or "command line". Keys that were not given are not in it.
using given_places = std::map<std::string, std::string, std::less<>>;

// Checks the settings of the cluster against each other. When they are good: takes this node itself out of
// `peers` (its own port there becomes clusterPort) and fills in clusterBindAddress.
result<void> settle_cluster(node_config& values, const given_places& places,
                            std::vector<std::string>& warnings);

} // namespace holdfast::config
