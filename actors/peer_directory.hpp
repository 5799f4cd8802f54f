// What the actors of one node's cluster links share: who we are, who may be a peer, and where frames to each
// of them go right now. Thread-safe; lives as long as the last of them.
#pragma once

#include "actors/cluster_security.hpp"
#include "actors/peer_frame.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace holdfast::actors {

struct cluster_peer {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
};

struct cluster_settings {
    std::string group;       // the replica group; part of what both sides must agree on
    std::string cluster;     // so is the cluster's name
    std::string name;        // this node's; unique in the cluster
    std::string incarnation; // of this node's data directory
    std::string bind_address = "127.0.0.1";
    std::uint16_t port = 0;          // 0: the system chooses, placement::start says which
    std::vector<cluster_peer> peers; // the other nodes
    std::optional<cluster_tls> tls;  // none: whoever reaches the port is trusted
};

// Spoken by both sides or not at all. Goes up when frames or interfaces change.
inline constexpr std::uint32_t peer_protocol_version = 2;

// What a node that wants to send frames to us says about itself.
struct peer_introduction {
    std::string group;
    std::string cluster;
    std::string name;
    std::string incarnation;
    std::uint32_t version = 0;
    std::string hello;
};

using dial_atom = caf::atom_constant<caf::atom("dial")>;
using met_atom = caf::atom_constant<caf::atom("met")>;
using check_atom = caf::atom_constant<caf::atom("check")>;

// The near end of our frames to one peer (peer_link.hpp).
using peer_link_actor =
    caf::typed_actor<caf::reacts_to<dial_atom>, caf::reacts_to<check_atom>,
                     caf::reacts_to<hello_atom>, // ours has changed
                     // The peer has reached us, so this node of CAF's can be reached without dialling.
                     caf::reacts_to<met_atom, caf::node_id>,
                     // incarnation and hello of the peer, as its own link says them.
                     caf::reacts_to<hello_atom, std::string, std::string>>;

class peer_directory {
  public:
    explicit peer_directory(cluster_settings settings) : settings_(std::move(settings)) {}

    [[nodiscard]] const cluster_settings& settings() const { return settings_; }

    // Peers are let in from open() to close(), which gives back the endpoints they had.
    void open(cluster_events_actor receiver, std::map<std::string, peer_link_actor> links);
    std::vector<peer_endpoint_actor> close();
    [[nodiscard]] std::optional<cluster_events_actor> receiver() const;

    [[nodiscard]] std::string hello() const;
    // The links there are, to be told; none if the text is the same.
    std::vector<peer_link_actor> set_hello(std::string text);

    // Our frames to the peer go there, or nowhere.
    void connected(const std::string& peer, peer_endpoint_actor endpoint);
    void disconnected(const std::string& peer);
    [[nodiscard]] std::optional<peer_endpoint_actor> endpoint_at(const std::string& peer) const;

    // Empty: the peer may have an endpoint here. Otherwise why not.
    [[nodiscard]] std::string refusal(const peer_introduction& introduction) const;
    // True the first time that this is refused to this name.
    bool is_news(const std::string& name, const std::string& why);

    // The endpoint that the peer has here now; gives back the one before, which must end.
    std::optional<peer_endpoint_actor> endpoint_spawned(const std::string& peer,
                                                        peer_endpoint_actor endpoint);
    [[nodiscard]] std::optional<peer_link_actor> link_to(const std::string& peer) const;

    // A frame of the peer has come in, and when the last one did.
    void note_frame(const std::string& peer);
    [[nodiscard]] std::chrono::steady_clock::time_point frame_came(const std::string& peer) const;

  private:
    const cluster_settings settings_;
    mutable std::mutex mutex_;
    std::optional<cluster_events_actor> receiver_;
    std::string hello_;
    std::map<std::string, peer_link_actor> links_;
    std::map<std::string, peer_endpoint_actor> outgoing_;                     // peers' endpoints for us
    std::map<std::string, peer_endpoint_actor> incoming_;                     // ours for peers
    std::map<std::string, std::chrono::steady_clock::time_point> frame_came_; // by peer
    std::set<std::string> refused_;
};

} // namespace holdfast::actors
