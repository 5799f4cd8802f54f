// The near end of our frames to one peer: finds the peer, puts our endpoint there, watches it, and starts
// over whenever it is lost.
//
// A link has a thread of its own (detached), and CAF's connecting for it is done by a middleman actor that
// nobody else uses, because both may wait long for a peer that does not answer. Frames do not pass through
// it: it only says in the peer_directory where they go.
//
// The connection between two nodes carries both directions. So the node whose name sorts first dials at once;
// the other one gives it half a second and then finds the connection there, as a rule. (Two that dial at the
// same instant would each close the other's connection.)
#pragma once

#include "actors/peer_directory.hpp"

#include <caf/io/middleman_actor.hpp>

#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <random>
#include <string>

namespace holdfast::actors {

struct peer_link_state {
    std::shared_ptr<peer_directory> directory;
    cluster_events_actor receiver;
    cluster_peer peer;
    caf::io::middleman_actor connector; // this link's own

    std::optional<peer_endpoint_actor> endpoint; // found, and not lost
    std::string incarnation;                     // as it said last
    std::string hello;
    bool is_dialling = false;
    bool will_dial = false; // a dial_atom is on its way
    // The hello that the endpoint has not answered yet.
    std::optional<std::chrono::steady_clock::time_point> asked_at;
    std::chrono::milliseconds back_off{0};
    std::string last_failure; // said once, not at every attempt
    std::minstd_rand random{std::random_device{}()};
};

// `ended` is counted down when everybody has been told that the link has ended, CAF's broker too: a message
// of the link that comes to the broker after the broker's own end would keep the link's thread for ever.
peer_link_actor::behavior_type peer_link(peer_link_actor::stateful_pointer<peer_link_state> self,
                                         std::shared_ptr<peer_directory> directory,
                                         cluster_events_actor receiver, cluster_peer peer,
                                         caf::io::middleman_actor connector,
                                         std::shared_ptr<std::latch> ended);

} // namespace holdfast::actors
