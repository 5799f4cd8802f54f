// Whether this node takes messages now, and if not, why: one place that says it and everyone reads.
#pragma once

#include "base/ids.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace holdfast::actors {

enum class health : std::uint8_t {
    starting,  // the log does not lead yet
    healthy,   // takes messages
    disk_full, // serves reads; takes messages again when there is room
    fenced,    // a write or flush failed; serves reads, takes no message until the next start
    stopping,
};

class node_health {
  public:
    [[nodiscard]] health now() const { return now_.load(std::memory_order_acquire); }
    // It leads its group (a node alone always does, once it has started): it may answer for it.
    [[nodiscard]] bool leads() const { return leads_.load(std::memory_order_acquire); }
    [[nodiscard]] bool takes_messages() const {
        return leads() && now() == health::healthy && !is_stalled_.load(std::memory_order_acquire);
    }

    // Up to where the log has room on the disk; nothing: as far as it goes. Whether a leader takes messages
    // is `healthy`, which ends earlier; a follower takes what the leader sends up to here.
    [[nodiscard]] std::optional<log_position> room_until() const {
        const auto until = room_until_.load(std::memory_order_acquire);
        return until == no_limit ? std::nullopt : std::optional{log_position{until}};
    }
    void set_room(std::optional<log_position> until) {
        room_until_.store(until ? until->value() : no_limit, std::memory_order_release);
    }

    // Nothing is committed any more though this node leads: a majority takes nothing.
    void set_stalled(bool is_stalled) { is_stalled_.store(is_stalled, std::memory_order_release); }

    void set_leads(bool leads) { leads_.store(leads, std::memory_order_release); }

    // Fencing and stopping are final: a later, milder word does not undo them.
    void set(health state, std::string reason) {
        const std::lock_guard lock{mutex_};
        const auto current = now_.load(std::memory_order_relaxed);
        if (current == health::stopping || (current == health::fenced && state != health::stopping))
            return;
        reason_ = std::move(reason);
        now_.store(state, std::memory_order_release);
    }
    [[nodiscard]] std::string reason() const {
        const std::lock_guard lock{mutex_};
        if (!leads() && (now() == health::healthy || now() == health::disk_full))
            return "this node does not lead its group: ask the name service again where the leader is";
        if (now() == health::healthy && is_stalled_.load(std::memory_order_acquire))
            return "a majority of the group's nodes takes nothing more: their disks may be full, or stuck "
                   "(see "
                   "`holdfast cluster status`, and their logs)";
        return reason_;
    }

  private:
    mutable std::mutex mutex_;
    std::string reason_ = "the broker is starting";
    std::atomic<health> now_{health::starting};
    std::atomic<bool> leads_{false};
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};
    std::atomic<std::uint64_t> room_until_{no_limit};
    std::atomic<bool> is_stalled_{false};
};

} // namespace holdfast::actors
