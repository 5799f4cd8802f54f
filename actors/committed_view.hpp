// What is committed, for everyone to read: topics, groups, consumer offsets and the queues' index.
//
// The commit_log actor writes it (a turn's changes at once, after they are committed), sessions and readers
// read it on their own threads. So a pull or a route needs no message to the commit log.
#pragma once

#include "base/ids.hpp"
#include "broker/state.hpp"
#include "storage/delay_index.hpp"
#include "storage/delivery_index.hpp"
#include "storage/queue_index.hpp"

#include <atomic>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::actors {

// Byte positions in the log; each is read at its own instant.
struct watermarks {
    log_position first;
    log_position appended;
    log_position flushed;
    log_position committed;
    log_position applied;
};

class committed_view {
  public:
    // As of `recovered`. `store` serves what the index no longer holds in memory.
    committed_view(const broker::state& recovered, const storage::derived_store& store);

    // --- the commit log's side ---

    // `woken`: those who waited for messages that came.
    void apply(const broker::state_changes& changes, std::vector<storage::waiter_id>& woken);
    void publish(const watermarks& marks, timestamp_ms log_time);

    // --- everyone's side ---

    [[nodiscard]] broker::topic_ptr find_topic(std::string_view name) const;
    [[nodiscard]] std::vector<broker::topic_ptr> topics() const; // by name
    [[nodiscard]] std::size_t topic_count() const;
    // Moves with every change of a topic: a cached topic is good while it stands still.
    [[nodiscard]] std::uint64_t topics_version() const {
        return topics_version_.load(std::memory_order_acquire);
    }

    [[nodiscard]] broker::group_ptr find_group(std::string_view name) const;
    [[nodiscard]] std::vector<broker::group_ptr> groups() const;
    [[nodiscard]] std::size_t group_count() const;
    [[nodiscard]] std::optional<queue_offset> offset(std::string_view group, queue_key queue) const;
    // Groups with an offset in any queue of the topic.
    [[nodiscard]] std::vector<std::string> groups_with_offsets_in(topic_id topic) const;
    [[nodiscard]] bool has_offset_in(std::string_view group, topic_id topic) const;
    [[nodiscard]] std::map<std::string, std::map<queue_key, queue_offset>, std::less<>> all_offsets() const;
    // All offsets of a group; nothing when it has none.
    [[nodiscard]] std::map<queue_key, queue_offset> offsets_of(std::string_view group) const;

    // The queue's lock, as far as it is durable; its owner may be nobody.
    [[nodiscard]] std::optional<broker::queue_lock> lock(std::string_view group, queue_key queue) const;

    [[nodiscard]] storage::delivery_index& deliveries() { return deliveries_; }
    [[nodiscard]] const storage::delivery_index& deliveries() const { return deliveries_; }
    [[nodiscard]] storage::delay_index& delays() { return delays_; }
    [[nodiscard]] const storage::delay_index& delays() const { return delays_; }
    // The time of the last entry applied: whatever is appended from now on is stored at it or later. Read it
    // before what it shall speak for.
    [[nodiscard]] timestamp_ms log_time() const {
        return timestamp_ms{log_time_.load(std::memory_order_acquire)};
    }
    [[nodiscard]] storage::queue_index& queues() { return queues_; }
    [[nodiscard]] const storage::queue_index& queues() const { return queues_; }
    [[nodiscard]] watermarks marks() const;

  private:
    void carry_out(const broker::fact& change, std::vector<storage::waiter_id>& woken);

    storage::queue_index queues_;
    storage::delivery_index deliveries_;
    storage::delay_index delays_;
    std::atomic<std::int64_t> log_time_{0};

    mutable std::shared_mutex mutex_;
    std::map<std::string, broker::topic_ptr, std::less<>> topics_;
    std::map<std::string, broker::group_ptr, std::less<>> groups_;
    std::map<std::string, std::map<queue_key, queue_offset>, std::less<>> offsets_;
    broker::queue_locks locks_;
    std::atomic<std::uint64_t> topics_version_{1};

    std::atomic<std::uint64_t> first_{0};
    std::atomic<std::uint64_t> appended_{0};
    std::atomic<std::uint64_t> flushed_{0};
    std::atomic<std::uint64_t> committed_{0};
    std::atomic<std::uint64_t> applied_{0};
};

} // namespace holdfast::actors
