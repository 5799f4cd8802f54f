// Which session waits under which waiter_id, so that whoever appends to a queue can wake those who parked
// there.
//
// A waiter_id is a session's number and a slot of that session: the session learns which of its parked pulls
// to look at again, however many it holds.
#pragma once

#include "actors/messages.hpp"
#include "storage/queue_index.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace holdfast::actors {

using parking_slot = std::uint32_t;
inline constexpr unsigned parking_slot_bits = 20;
inline constexpr parking_slot max_parking_slots = 1U << parking_slot_bits;

[[nodiscard]] inline storage::waiter_id make_waiter(connection_id session, parking_slot slot) {
    return storage::waiter_id{(session.value() << parking_slot_bits) | slot};
}

class wake_registry {
  public:
    struct wake {
        consumer_session_actor session;
        std::vector<parking_slot> slots;
    };

    void add(connection_id session, consumer_session_actor actor) {
        const std::lock_guard lock{mutex_};
        sessions_.insert_or_assign(session, std::move(actor));
    }
    void remove(connection_id session) {
        const std::lock_guard lock{mutex_};
        sessions_.erase(session);
    }

    // Null when the session is gone.
    [[nodiscard]] consumer_session_actor find(connection_id session) const {
        const std::lock_guard lock{mutex_};
        const auto found = sessions_.find(session);
        return found == sessions_.end() ? consumer_session_actor{} : found->second;
    }

    // One wake a session; waiters whose session is gone are passed over. Sorts `waiters`.
    [[nodiscard]] std::vector<wake> group(std::vector<storage::waiter_id>& waiters) const {
        std::sort(waiters.begin(), waiters.end());
        std::vector<wake> wakes;
        connection_id current;
        bool known = false;
        const std::lock_guard lock{mutex_};
        for (const auto waiter : waiters) {
            const connection_id session{waiter.value() >> parking_slot_bits};
            if (wakes.empty() || session != current) {
                const auto found = sessions_.find(session);
                known = found != sessions_.end();
                if (known)
                    wakes.push_back({found->second, {}});
                current = session;
            }
            if (known)
                wakes.back().slots.push_back(
                    static_cast<parking_slot>(waiter.value() & (max_parking_slots - 1)));
        }
        return wakes;
    }

  private:
    mutable std::mutex mutex_;
    std::unordered_map<connection_id, consumer_session_actor> sessions_;
};

} // namespace holdfast::actors
