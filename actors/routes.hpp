// What the name service says of this node: routes and cluster (protocol reference 3.1, 6.2). Plain functions
// over the committed view.
#pragma once

#include "actors/session_environment.hpp"
#include "protocol/cluster_status.hpp"
#include "protocol/route.hpp"

#include <optional>
#include <string_view>

namespace holdfast::actors {

// Nothing when there is no such topic. TBW102, the template of auto-creation, has a route while
// autoCreateTopicEnable.
[[nodiscard]] std::optional<protocol::topic_route> route_of(const session_environment& environment,
                                                            std::string_view topic);
[[nodiscard]] protocol::cluster_info cluster_of(const session_environment& environment);

// What this node says of itself and its group (`holdfast cluster status`).
[[nodiscard]] protocol::cluster_status status_of(const session_environment& environment);

} // namespace holdfast::actors
