// Which client holds which queue for orderly consumption (protocol reference 6.9): replicated state.
//
// A lock changes hands only by an entry of the log, and each change carries the epoch it makes: one more than
// the epoch it found. So of two changes that were decided on the same state the first counts, and whatever an
// ex-owner has still on its way changes nothing. Refreshes and expiry are no facts: lock_keeper.hpp.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::broker {

struct queue_lock {
    std::string owner; // a client id; empty: nobody holds it now
    std::uint64_t epoch = 0;

    friend bool operator==(const queue_lock&, const queue_lock&) = default;
};

struct lock_change {
    queue_key queue;
    queue_lock lock; // after the change

    friend bool operator==(const lock_change&, const lock_change&) = default;
};

// The payload of a queue_locks command: one group's changes, in order. At most max_changes of them.
struct lock_changes {
    static constexpr std::size_t max_changes = 65'536;

    std::string group;
    std::vector<lock_change> changes;

    friend bool operator==(const lock_changes&, const lock_changes&) = default;
};

[[nodiscard]] std::string encode(const lock_changes& changes);
result<lock_changes> decode_lock_changes(byte_view bytes);

class queue_locks {
  public:
    using group_locks = std::map<queue_key, queue_lock>;

    // Whether it counts: only when its epoch is the current one + 1 (a queue without a lock has epoch 0).
    bool apply(std::string_view group, const lock_change& change);
    // Without a look at epochs: what was applied elsewhere, or is stored.
    void restore(std::string_view group, const lock_change& change);
    void forget_group(std::string_view group);
    void forget_topic(topic_id topic);

    // Nothing when the queue was never locked.
    [[nodiscard]] std::optional<queue_lock> find(std::string_view group, queue_key queue) const;
    [[nodiscard]] const auto& groups() const { return groups_; }

  private:
    group_locks& of(std::string_view group);

    std::map<std::string, group_locks, std::less<>> groups_; // those with a lock, held or not
};

} // namespace holdfast::broker
