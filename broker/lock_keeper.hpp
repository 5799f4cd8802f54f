// Who may have a queue's lock (protocol reference 6.9): the part of it that is no fact of the log.
//
// A lock lives for a time, a minute, after its owner last asked for it; only then may another client take it.
// What is refreshed and what has expired is known here alone: after a start, or under a new leader, every
// lock counts as refreshed then. Plain and deterministic: the durable locks are asked for, time comes in with
// each call.
//
// Locking goes in two steps, so that only what is durable is answered: lock() and unlock() decide which
// changes must go into the log; when they are there, held() says what the client has.
#pragma once

#include "broker/queue_locks.hpp"

#include <chrono>
#include <functional>

namespace holdfast::broker {

// Changes for one entry of the log. Later decisions of the same batch see the earlier ones.
class lock_batch {
  public:
    // More changes than this wait for another entry, or for the client to ask again.
    static constexpr std::size_t most_changes = 4096;

    [[nodiscard]] bool empty() const { return changes_.empty(); }
    [[nodiscard]] bool full() const { return changes_.size() >= most_changes; }
    [[nodiscard]] const std::vector<lock_change>& changes() const { return changes_; }

  private:
    friend class lock_keeper;

    std::vector<lock_change> changes_;
    std::map<queue_key, queue_lock> after_; // of the queues that change
};

class lock_keeper {
  public:
    using instant = std::chrono::steady_clock::time_point;
    using durable_lock = std::function<std::optional<queue_lock>(queue_key)>;

    lock_keeper(durable_lock durable, instant now, std::chrono::milliseconds life)
        : durable_(std::move(durable)), started_(now), life_(life) {}

    // `client` wants the queues: those that nobody holds, or whose owner was silent for too long, become its.
    void lock(const std::string& client, const std::vector<queue_key>& queues, instant now,
              lock_batch& batch) const;
    // `client` gives up those of the queues that it holds; the others stay as they are.
    void unlock(const std::string& client, const std::vector<queue_key>& queues, lock_batch& batch) const;

    // Those of the queues that `client` holds; its locks on them live on from now.
    std::vector<queue_key> held(const std::string& client, const std::vector<queue_key>& queues, instant now);

    // The client whose lock on the queue is alive; empty when nobody's is.
    [[nodiscard]] std::string holder(queue_key queue, instant now) const;

    // Forgets what it knows of locks that are gone.
    void tidy();

  private:
    struct refresh {
        std::uint64_t epoch = 0; // of the lock that was refreshed
        instant at;
    };

    [[nodiscard]] queue_lock current(queue_key queue, const lock_batch& batch) const;
    [[nodiscard]] bool is_alive(queue_key queue, const queue_lock& lock, instant now) const;
    static void change(queue_key queue, queue_lock found, std::string owner, lock_batch& batch);

    durable_lock durable_;
    instant started_;
    std::chrono::milliseconds life_;
    std::map<queue_key, refresh> refreshed_;
};

} // namespace holdfast::broker
