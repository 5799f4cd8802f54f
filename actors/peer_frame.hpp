// What nodes of a cluster say to each other, and what the link between them tells the node.
//
// A peer_frame is opaque here: a head (an encoded message of consensus/) and a body (log bytes). Copying one
// copies no bytes; the only copy on the way out is the one into the connection's output buffer, and the body
// arrives as one shared buffer. Frames may be lost at any moment and without a word, but those that arrive
// from one life of a peer's link are whole and in order.
#pragma once

#include "base/bytes.hpp"

#include <caf/all.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace holdfast::actors {

struct peer_frame {
    std::string head;
    std::vector<shared_bytes> body; // received: one slice, or none for an empty body

    // Ceilings for what is sent and for what is believed when it comes in, checked before anything is
    // allocated. A frame must also cross the network within the connection's timeout of a second, or the peer
    // looks dead: a few MiB are a good size (larger messages go in slices, consensus/message_frames.hpp).
    static constexpr std::size_t most_head_bytes = std::size_t{1} << 20U;
    static constexpr std::size_t most_body_bytes = std::size_t{8} << 20U;
};

[[nodiscard]] std::size_t body_bytes(const peer_frame& frame);
[[nodiscard]] bool within_limits(const peer_frame& frame);

// On the wire: length of the head, length of the body (both u32), head, body.
caf::error inspect(caf::serializer& sink, const peer_frame& frame);
caf::error inspect(caf::deserializer& source, peer_frame& frame);

using peer_atom = caf::atom_constant<caf::atom("peer")>;
using hello_atom = caf::atom_constant<caf::atom("hello")>;
using found_atom = caf::atom_constant<caf::atom("found")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;

// The local actor that lives behind the link (the commit log).
//
// found: frames to the peer arrive from now on. Said again, without `lost` between, when only its hello has
// changed. lost: said once after each `found` when that ends; frames sent meanwhile are dropped. Frames of a
// peer may come in before it is found and after it is lost: each direction lives for itself.
using cluster_events_actor =
    caf::typed_actor<caf::reacts_to<peer_atom, std::string, peer_frame>, // from whom
                                                                         // name, incarnation, hello
                     caf::reacts_to<found_atom, std::string, std::string, std::string>,
                     caf::reacts_to<lost_atom, std::string>>;

// The far end of one node's link at a peer, and the only interface that crosses the wire: takes frames, and
// answers a hello with its own node's name, incarnation and hello.
using peer_endpoint_actor =
    caf::typed_actor<caf::reacts_to<peer_atom, peer_frame>,
                     caf::replies_to<hello_atom, std::string>::with<std::string, std::string, std::string>>;

} // namespace holdfast::actors
