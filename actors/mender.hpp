// The mender actor: carries out broker/log_repair, with peers at the other end, and answers theirs. Has a
// thread of its own, because it reads and writes the log.
//
// A running node has one for what its readers meet in old segments. A start that is refused because of rot
// has one instead of a commit log (rotten_start.hpp).
#pragma once

#include "actors/messages.hpp"
#include "actors/placement.hpp"
#include "broker/log_repair.hpp"
#include "config/node_config.hpp"

#include <functional>
#include <optional>
#include <string>

namespace holdfast::actors {

// Everything outlives the actor.
struct mender_environment {
    storage::segment_set* segments = nullptr;
    storage::log_reader* reader = nullptr;
    broker::repair_settings settings;
    // False: there is no link to it, nothing was sent.
    std::function<bool(const std::string& peer, peer_frame frame)> send_to_peer;
    // Of a running node: everything below is committed and on the disk, so that nobody writes there any more.
    std::function<log_position()> settled_until;
    std::function<void(const broker::repair_end&)> on_end;
    // For start_atom.
    broker::repair_order order;
};

// Whom it asks and how; the rest is to be filled in. `links` outlive the actor.
[[nodiscard]] mender_environment mender_among_peers(const config::node_config& config,
                                                    const placement& links);

class mender_state {
  public:
    void set_up(mender_actor::pointer self, mender_environment environment);
    void start();
    void rot(log_position position);
    void tick();
    void received(const std::string& from, const peer_frame& frame);
    void found();

  private:
    void begin(const broker::repair_order& order);
    void carry_out(broker::repair_effects effects);
    [[nodiscard]] broker::steady_ms now() const;

    mender_actor::pointer self_ = nullptr;
    mender_environment environment_;
    std::optional<broker::log_repair> repair_;
    std::size_t mended_ = 0; // stretches, of this repair
    // A reader that meets the same rot again and again, or took something else for it, is not worth the
    // reading of a segment each time.
    broker::steady_ms rests_until_{0};
};

mender_actor::behavior_type mender(mender_actor::stateful_pointer<mender_state> self,
                                   mender_environment environment);

} // namespace holdfast::actors
