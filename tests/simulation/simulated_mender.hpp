// A node's mender without actor, thread or clock: broker/log_repair over the node's log, and its answers to
// the others. It does what actors/mender does for a node that serves, and actors/rotten_start for one that
// can't start.
#pragma once

#include "broker/log_repair.hpp"
#include "storage/entry_cache.hpp"
#include "storage/log_reader.hpp"
#include "tests/simulation/simulated_node.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::simulation {

class simulated_mender {
  public:
    // False: there is no link to it, nothing was sent.
    using send_action = std::function<bool(const std::string& to, std::string head, std::vector<std::byte>)>;

    // Of a node that serves; the log outlives it.
    simulated_mender(storage::log_store& log, const std::vector<std::string>& peers, send_action send);
    // Of a node whose start was refused: opens the log, and begins.
    static result<std::unique_ptr<simulated_mender>>
    instead_of_a_node(storage::file_system& files, const node_settings& settings, const derived_copy& derived,
                      send_action send, broker::steady_ms now);

    // Somebody read this and found it rotten. Nothing at or behind `settled` is touched.
    void rot(log_position position, log_position settled, broker::steady_ms now);
    void received(const std::string& from, const std::string& head, const shared_bytes& body,
                  broker::steady_ms now);
    void tick(broker::steady_ms now) { carry_out(repair_.ticked(now), now); }
    void peer_found(broker::steady_ms now) { carry_out(repair_.peer_found(now), now); }

    // Since the last call: stretches put right, and how a repair has ended.
    struct outcomes {
        std::uint64_t mended = 0;
        std::uint64_t given = 0; // bytes for others
        std::optional<broker::repair_end> end;
    };
    [[nodiscard]] outcomes take_outcomes() { return std::exchange(outcomes_, {}); }

  private:
    struct opened_log {
        std::unique_ptr<storage::segment_set> segments;
        storage::entry_cache cache{64U << 10U};
        storage::log_reader reader{*segments, cache};
    };
    simulated_mender(std::unique_ptr<opened_log> own, const std::vector<std::string>& peers,
                     send_action send);
    void carry_out(broker::repair_effects effects, broker::steady_ms now);

    std::unique_ptr<opened_log> own_; // of a node that does not run
    storage::segment_set& segments_;
    storage::log_reader& reader_;
    send_action send_;
    broker::log_repair repair_;
    broker::steady_ms rests_until_{0};
    std::uint64_t mended_ = 0; // of this repair
    outcomes outcomes_;
};

} // namespace holdfast::simulation
