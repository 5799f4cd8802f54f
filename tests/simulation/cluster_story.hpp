// What happens to a simulated cluster: clients send, and things go wrong, in an order that the seed decides;
// then all is repaired, and the cluster must show that nothing is lost and that it works.
#pragma once

#include "tests/simulation/cluster_clients.hpp"

namespace holdfast::simulation {

class cluster_story {
  public:
    cluster_story(const cluster_settings& settings, cluster_marks& marks);

    // What went wrong; empty = nothing.
    std::string run();
    [[nodiscard]] std::uint64_t digest() const { return cluster_.digest(); }
    // How long it was.
    [[nodiscard]] virtual_ms length() const { return cluster_.now(); }
    [[nodiscard]] std::size_t leaders() { return cluster_.checker().terms(); }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    virtual_ms pick_ms(std::uint64_t first, std::uint64_t last) {
        return virtual_ms{static_cast<std::int64_t>(first + pick(last - first))};
    }
    std::size_t pick_node() { return static_cast<std::size_t>(pick(cluster_.size())); }

    void trouble_later();
    void trouble();
    void set_clock(std::size_t victim);
    void disk_trouble(std::size_t victim);
    void cut_network(std::size_t victim);
    void mend_later();
    void change_weather();
    void disturb_election();
    void wipe(std::size_t victim);

    void client_later();
    void deliver_later();

    void heal();

    const cluster_settings settings_;
    std::mt19937_64 random_;
    simulated_cluster cluster_;
    cluster_clients clients_;
    bool is_healed_ = false;
    std::uint64_t cut_number_ = 0;
    virtual_ms disturbed_until_{0};
    std::uint64_t calm_; // the greater, the rarer is trouble
    bool keeps_all_;     // no retention
};

} // namespace holdfast::simulation
