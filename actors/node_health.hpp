// Whether this node takes messages now, and if not, why: one place that says it and everyone reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
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
    [[nodiscard]] bool takes_messages() const { return leads() && now() == health::healthy; }

    // The disk has room for the log's next segment. Whether a leader takes messages is `healthy`; a follower
    // takes what the leader sends as long as this is true.
    [[nodiscard]] bool has_room() const { return has_room_.load(std::memory_order_acquire); }
    void set_room(bool has_room) { has_room_.store(has_room, std::memory_order_release); }

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
        return reason_;
    }

  private:
    mutable std::mutex mutex_;
    std::string reason_ = "the broker is starting";
    std::atomic<health> now_{health::starting};
    std::atomic<bool> leads_{false};
    std::atomic<bool> has_room_{true};
};

} // namespace holdfast::actors
