// Between the nodes of a simulated cluster: what becomes of a message, and which links are cut. It knows no
// time and carries nothing; the cluster does.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace holdfast::simulation {

using virtual_ms = std::chrono::milliseconds;

// How often in a thousand.
struct network_weather {
    std::uint32_t lost = 0;
    std::uint32_t repeated = 0;
    std::uint32_t slow = 0; // up to some hundred ms late
    std::uint32_t late = 0; // up to some seconds
};

enum class partition : std::uint8_t {
    isolated,   // one node from all others
    mute,       // one that hears and is not heard
    deaf,       // one that is heard and does not hear
    one_way,    // one direction of one link
    one_link,   // both
    bridge,     // two halves that only one node reaches
    two_halves, // and nobody between them
};
inline constexpr std::uint32_t partitions = 7;

struct network_marks {
    std::uint64_t lost = 0;
    std::uint64_t repeated = 0;
    std::uint64_t late = 0;
    std::uint64_t stopped = 0; // by a cut
    std::array<std::uint64_t, partitions> cuts{};
};

class simulated_network {
  public:
    simulated_network(std::size_t nodes, std::uint64_t seed, network_marks& marks)
        : nodes_(nodes), random_(seed), marks_(marks) {}

    // When the copies of a message arrive that is sent now: none is as good as many.
    std::vector<virtual_ms> send(std::size_t from, std::size_t to);

    void set(network_weather weather) { weather_ = weather; }
    // Cuts some more, with `victim` where one node is meant.
    void cut(partition how, std::size_t victim);
    void mend() { cuts_.clear(); }
    [[nodiscard]] bool is_open(std::size_t from, std::size_t to) const { return !cuts_.contains({from, to}); }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    bool happens(std::uint32_t in_a_thousand) { return pick(1000) < in_a_thousand; }
    virtual_ms delay();
    void cut_both(std::size_t one, std::size_t other);

    const std::size_t nodes_;
    std::mt19937_64 random_;
    network_marks& marks_;
    network_weather weather_;
    std::set<std::pair<std::size_t, std::size_t>> cuts_; // from, to
};

} // namespace holdfast::simulation
