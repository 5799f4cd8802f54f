#include "tests/simulation/simulated_network.hpp"

namespace holdfast::simulation {

virtual_ms simulated_network::delay() {
    if (happens(weather_.late)) {
        ++marks_.late;
        return virtual_ms{static_cast<std::int64_t>(pick(4'000))};
    }
    if (happens(weather_.slow))
        return virtual_ms{static_cast<std::int64_t>(pick(300))};
    return virtual_ms{static_cast<std::int64_t>(1 + pick(6))};
}

std::vector<virtual_ms> simulated_network::send(std::size_t from, std::size_t to) {
    std::vector<virtual_ms> arrivals;
    if (!is_open(from, to)) {
        ++marks_.stopped;
        return arrivals;
    }
    if (happens(weather_.lost)) {
        ++marks_.lost;
        return arrivals;
    }
    for (arrivals.push_back(delay()); happens(weather_.repeated); ++marks_.repeated)
        arrivals.push_back(delay());
    return arrivals;
}

void simulated_network::cut_both(std::size_t one, std::size_t other) {
    cuts_.insert({one, other});
    cuts_.insert({other, one});
}

void simulated_network::cut(partition how, std::size_t victim) {
    ++marks_.cuts.at(static_cast<std::size_t>(how));
    const auto other = (victim + 1 + pick(nodes_ - 1)) % nodes_;
    switch (how) {
    case partition::one_way:
        cuts_.insert({victim, other});
        return;
    case partition::one_link:
        return cut_both(victim, other);
    case partition::isolated:
    case partition::mute:
    case partition::deaf:
        for (std::size_t node = 0; node < nodes_; ++node) {
            if (node != victim && how != partition::deaf)
                cuts_.insert({victim, node});
            if (node != victim && how != partition::mute)
                cuts_.insert({node, victim});
        }
        return;
    case partition::bridge:
    case partition::two_halves:
        // Numbered from the victim on, which is the bridge.
        for (std::size_t left = how == partition::bridge ? 1 : 0; left <= nodes_ / 2; ++left)
            for (auto right = nodes_ / 2 + 1; right < nodes_; ++right)
                cut_both((victim + left) % nodes_, (victim + right) % nodes_);
        return;
    }
}

} // namespace holdfast::simulation
