#include "actors/peer_directory.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::actors {
namespace {

// Refusals that are remembered; beyond that they are not logged, as their number is the other side's choice.
constexpr std::size_t most_refused = 100;

template <class T>
std::optional<T> find_in(const std::map<std::string, T>& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? std::nullopt : std::optional<T>{found->second};
}

} // namespace

void peer_directory::open(cluster_events_actor receiver, std::map<std::string, peer_link_actor> links) {
    const std::lock_guard lock{mutex_};
    receiver_ = std::move(receiver);
    links_ = std::move(links);
}

std::vector<peer_endpoint_actor> peer_directory::close() {
    const std::lock_guard lock{mutex_};
    receiver_.reset();
    links_.clear();
    outgoing_.clear();
    std::vector<peer_endpoint_actor> endpoints;
    for (auto& [name, endpoint] : std::exchange(incoming_, {}))
        endpoints.push_back(std::move(endpoint));
    return endpoints;
}

std::optional<cluster_events_actor> peer_directory::receiver() const {
    const std::lock_guard lock{mutex_};
    return receiver_;
}

std::string peer_directory::hello() const {
    const std::lock_guard lock{mutex_};
    return hello_;
}

std::vector<peer_link_actor> peer_directory::set_hello(std::string text) {
    const std::lock_guard lock{mutex_};
    std::vector<peer_link_actor> told;
    if (hello_ == text)
        return told;
    hello_ = std::move(text);
    for (const auto& [name, link] : links_)
        told.push_back(link);
    return told;
}

void peer_directory::connected(const std::string& peer, peer_endpoint_actor endpoint) {
    const std::lock_guard lock{mutex_};
    // A link may find its peer while everything is being stopped.
    if (receiver_)
        outgoing_.insert_or_assign(peer, std::move(endpoint));
}

void peer_directory::disconnected(const std::string& peer) {
    const std::lock_guard lock{mutex_};
    outgoing_.erase(peer);
}

std::optional<peer_endpoint_actor> peer_directory::endpoint_at(const std::string& peer) const {
    const std::lock_guard lock{mutex_};
    return find_in(outgoing_, peer);
}

std::string peer_directory::refusal(const peer_introduction& introduction) const {
    if (introduction.version != peer_protocol_version)
        return "it speaks version " + std::to_string(introduction.version) + " of the protocol, we speak " +
               std::to_string(peer_protocol_version) + ": run the same release on all nodes";
    if (introduction.cluster != settings_.cluster)
        return "it belongs to another cluster than '" + settings_.cluster + "'";
    if (introduction.group != settings_.group)
        return "it belongs to another broker group than '" + settings_.group + "'";
    const auto is_peer = [&](const cluster_peer& peer) { return peer.name == introduction.name; };
    if (std::none_of(settings_.peers.begin(), settings_.peers.end(), is_peer))
        return "it is not among the peers of this node";
    if (!receiver())
        return "this node is not (or no longer) serving";
    return {};
}

bool peer_directory::is_news(const std::string& name, const std::string& why) {
    const std::lock_guard lock{mutex_};
    return refused_.size() < most_refused && refused_.insert(name.substr(0, 256) + '\n' + why).second;
}

std::optional<peer_endpoint_actor> peer_directory::endpoint_spawned(const std::string& peer,
                                                                    peer_endpoint_actor endpoint) {
    const std::lock_guard lock{mutex_};
    if (!receiver_)
        return endpoint;
    auto before = find_in(incoming_, peer);
    incoming_.insert_or_assign(peer, std::move(endpoint));
    return before;
}

std::optional<peer_link_actor> peer_directory::link_to(const std::string& peer) const {
    const std::lock_guard lock{mutex_};
    return find_in(links_, peer);
}

void peer_directory::note_frame(const std::string& peer) {
    const std::lock_guard lock{mutex_};
    frame_came_[peer] = std::chrono::steady_clock::now();
}

std::chrono::steady_clock::time_point peer_directory::frame_came(const std::string& peer) const {
    const std::lock_guard lock{mutex_};
    return find_in(frame_came_, peer).value_or(std::chrono::steady_clock::time_point{});
}

} // namespace holdfast::actors
