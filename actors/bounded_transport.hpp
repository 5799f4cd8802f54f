// CAF's TCP transport with a ceiling for what a connection may make this node allocate.
//
// A BASP header (CAF's wire protocol) says how long what follows is, up to 4 GiB, and CAF makes room for it
// before the first byte of it is there, from whomever it comes. Here a connection that announces more than
// any node of ours sends is closed instead, and nothing is allocated. For ports without TLS: with TLS nobody
// gets as far as a header without a certificate of the cluster's authority.
#pragma once

#include <caf/actor.hpp>
#include <caf/io/middleman_actor.hpp>

#include <cstddef>

namespace holdfast::actors {

// Of the first message of a connection, CAF's handshake: node id, application and type names.
inline constexpr std::size_t most_handshake_bytes = std::size_t{64} << 10U;
// Of every later one: a peer_frame at its limits and what CAF wraps it in.
extern const std::size_t most_message_bytes;

// As caf::io::make_middleman_actor. `broker`: the system's BASP broker.
[[nodiscard]] caf::io::middleman_actor make_bounded_middleman_actor(caf::actor_system& system,
                                                                    caf::actor broker);

} // namespace holdfast::actors
