// A node's part in the cluster's link: an open cluster port, and for every peer an actor of ours on its node,
// put there with remote_spawn, that takes our frames.
//
//     placement links{settings};
//     links.configure(system_config);              // before the actor system is made
//     caf::actor_system system{system_config};
//     auto port = links.start(system, commit_log); // now it hears found, lost and frames
//     links.send("b", frame);
//     links.stop();                                // else the actor system never ends
//
// The link is lossy: it never repeats, never says that a frame got lost, and drops what is sent to a peer
// that is not found. What it promises: peers are known by their names, never by addresses or CAF's ids;
// frames from one endpoint come in order and whole; a frozen peer is lost after a second or so, a dead one at
// once; one that comes back, as the same process or another, is found again.
//
// What is queued for one peer has no bound here: whoever sends keeps a window (raft's).
#pragma once

#include "actors/peer_directory.hpp"
#include "base/result.hpp"

#include <caf/all.hpp>
#include <caf/io/middleman_actor.hpp>

#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::actors {

class placement {
  public:
    explicit placement(cluster_settings settings);
    // Has been stopped before the actor system ended, if it was started.
    ~placement();
    placement(const placement&) = delete;
    placement& operator=(const placement&) = delete;

    void configure(caf::actor_system_config& config) const;

    // Opens the cluster port and begins to look for the peers; the port that was opened. May be started again
    // after a stop, in the same actor system.
    result<std::uint16_t> start(caf::actor_system& system, const cluster_events_actor& receiver);

    // Hands the frame to the connection; false if the peer is not found, so that the frame is dropped. Never
    // blocks; from any thread. The frame must be within its limits.
    bool send(const std::string& peer, peer_frame frame) const;

    // What peers are told about this node with `found`; again, when it changes.
    void set_hello(std::string text);

    // Closes the port, ends all links and all endpoints here and waits for that. The receiver hears no
    // `lost` of it; at the peers, this node is lost.
    void stop();

  private:
    [[nodiscard]] caf::io::middleman_actor make_connector() const;

    std::shared_ptr<peer_directory> directory_;
    caf::actor_system* system_ = nullptr; // while started
    std::uint16_t port_ = 0;
    std::vector<peer_link_actor> links_;
    std::shared_ptr<std::latch> links_ended_;
    std::vector<caf::io::middleman_actor> connectors_;
};

} // namespace holdfast::actors
