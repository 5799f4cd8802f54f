// Nodes of a cluster, each an actor system of its own with a middleman on the loopback interface, and what
// their links told them.
#pragma once

#include "actors/placement.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast::actors {

inline constexpr std::chrono::seconds patience{10};

// What one node heard, in the order it heard it.
class heard_events {
  public:
    struct received {
        std::string from;
        peer_frame frame;
    };

    void note(std::string event);
    void note(received frame);

    // Waits until the condition holds, at most for the time given; whether it does.
    bool wait(const std::function<bool(const heard_events&)>& condition,
              std::chrono::milliseconds longest = patience);
    bool wait_for_event(const std::string& event, std::size_t times = 1,
                        std::chrono::milliseconds longest = patience);
    bool wait_for_frames(std::size_t count, std::chrono::milliseconds longest = patience);

    // Copies; frames share their bytes.
    [[nodiscard]] std::vector<std::string> events() const;
    [[nodiscard]] std::vector<received> frames() const;
    [[nodiscard]] std::size_t times(const std::string& event) const; // for conditions too

    // Called for every frame instead of keeping it.
    void on_frame(std::function<void(const std::string& from, peer_frame&)> handler);

  private:
    mutable std::recursive_mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::string> events_;
    std::vector<received> frames_;
    std::function<void(const std::string&, peer_frame&)> handler_;
};

cluster_settings node_settings(const std::string& name, std::vector<cluster_peer> peers);
cluster_peer peer_at(const std::string& name, std::uint16_t port);
// A port that nobody listens on now, and that no outgoing connection gets: one that dials itself by chance
// is connected.
std::uint16_t free_port();

peer_frame make_frame(std::string head, const std::vector<std::string>& slices);
std::string body_text(const peer_frame& frame);

class cluster_node {
  public:
    explicit cluster_node(cluster_settings settings, const std::string& hello = {});
    ~cluster_node();
    cluster_node(const cluster_node&) = delete;
    cluster_node& operator=(const cluster_node&) = delete;

    void start(); // by the constructor too; again after stop()
    void stop();  // the links; the actor system goes on

    [[nodiscard]] std::uint16_t port() const { return port_; }
    placement& links() { return *links_; }
    caf::actor_system& system() { return *system_; }
    heard_events heard;

  private:
    caf::actor_system_config config_;
    std::unique_ptr<placement> links_;
    std::unique_ptr<caf::actor_system> system_;
    cluster_events_actor receiver_;
    std::uint16_t port_ = 0;
};

} // namespace holdfast::actors
