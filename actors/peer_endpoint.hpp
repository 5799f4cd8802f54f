// The far end of a peer's link: an actor of this node that a peer has put here with remote_spawn.
//
// It hands the peer's frames to the local receiver. The peer says hello every half second; when it does so no
// longer, or CAF says that its link is gone, the endpoint ends.
#pragma once

#include "actors/peer_directory.hpp"

#include <memory>

namespace holdfast::actors {

inline constexpr const char* peer_endpoint_type = "follower"; // as remote_spawn calls it

// Registers the messages that cross the wire, and what peers may spawn here. Peers that do not belong here
// get no actor, and the log says why, once.
void register_peer_endpoint(caf::actor_system_config& config, std::shared_ptr<peer_directory> directory);

// What a peer must say to get an endpoint, as message of remote_spawn.
[[nodiscard]] caf::message introduce(const peer_directory& directory);

} // namespace holdfast::actors
