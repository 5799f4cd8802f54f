// The links between the nodes of a group under test: a proxy on loopback for each ordered pair, so that a
// test can cut what one node says to another without root and without a network of its own.
//
// A cut direction is stalled, not closed: its bytes wait, as packets that are dropped and sent again do, and
// come when it heals. New connections over it are accepted and hear nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::chaos {

inline constexpr std::size_t nodes = 3;

// A free port of 127.0.0.1, and free no longer than nobody takes it.
std::uint16_t free_port();

class links {
  public:
    // `cluster_ports`: where the nodes themselves listen.
    explicit links(const std::array<std::uint16_t, nodes>& cluster_ports);
    links(const links&) = delete;
    links& operator=(const links&) = delete;
    ~links();

    // Where `from` reaches `to`.
    [[nodiscard]] std::uint16_t port(std::size_t from, std::size_t to) const { return ports_[from][to]; }

    // What `from` says does not reach `to`, over whichever connection.
    void cut(std::size_t from, std::size_t to) { cut_[from][to] = true; }
    // What anybody says crosses at this rate; 0 = as fast as it can.
    void slow_down(std::size_t bytes_per_s) {
        for (auto& each : bytes_per_s_)
            each = bytes_per_s;
    }
    // What is said to one node alone.
    void slow_down(std::size_t to, std::size_t bytes_per_s) { bytes_per_s_[to] = bytes_per_s; }
    // No direction is cut any more.
    void heal();

  private:
    void accept_from(int listener, std::size_t from, std::size_t to);
    void join(int dialled, std::size_t from, std::size_t to);
    void pump(int source, int sink, std::size_t from, std::size_t to);

    const std::array<std::uint16_t, nodes> cluster_ports_;
    std::array<std::array<std::uint16_t, nodes>, nodes> ports_{};
    std::array<std::array<std::atomic<bool>, nodes>, nodes> cut_{};
    std::array<std::atomic<std::size_t>, nodes> bytes_per_s_{}; // to each node
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> accepting_;
    std::mutex mutex_;
    std::vector<std::thread> pumping_;
};

} // namespace holdfast::chaos
