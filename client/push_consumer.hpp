// Receives messages of subscribed topics, as one member of a group.
//
// A delivery is done when its handle says so (delivery.hpp): ack() after the work, retry_later() to see it
// again, and a handle dropped without a word, or a listener that throws, counts as retry_later(). Handles may
// be moved to other threads and may outlive the consumer. The group's offset of a queue never passes the
// lowest delivery that is neither acknowledged nor back at the broker, so a crash loses nothing: at most what
// was in work comes again.
//
// Clustering: the queues of a topic are divided among the members (average allocation, protocol reference
// 6.3), offsets live on the broker. Broadcasting: every member gets every message, offsets live in
// `offset_directory`. At least once, in both.
//
// Ordered: one message of a queue at a time, by offset; the next one after the ack() of the one before, on
// whatever thread. The queue is locked at the broker first (protocol reference 6.9), so that no two members
// work on it at once; it is handed over to another member only after the delivery in work is settled. A
// retried message stays where it is and holds up its queue.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/client_options.hpp"
#include "client/delivery.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::client {

enum class message_model : std::uint8_t { clustering, broadcasting };

// Where a group that is new to a topic begins. In a topic that is made after the consumer has started, and in
// queues that are added later, nothing is skipped: there it is the first message (unless old messages have
// been removed).
enum class consume_from : std::uint8_t { last, first, time };

struct push_consumer_options {
    client_options client{};
    std::string group{};
    message_model model = message_model::clustering;
    bool ordered = false;
    consume_from from = consume_from::last;
    // For consume_from::time.
    timestamp_ms from_time{};
    // Where broadcasting keeps its offsets: one directory per consumer, which it locks while it runs.
    std::filesystem::path offset_directory{};

    // Threads that call the listener, and the most deliveries a call gets.
    unsigned listener_threads = 4;
    std::size_t listener_batch_messages = 64;
    // Asked for per pull; the broker may give fewer. Brokers before 5.x don't hear of the bytes.
    std::int32_t pull_batch_messages = 1'024;
    std::size_t pull_batch_bytes = std::size_t{1} << 20U;
    // Pulling from a queue pauses above one of these and goes on below half of it.
    std::size_t max_cached_messages_per_queue = 16'384;
    std::size_t max_cached_bytes_per_queue = std::size_t{32} << 20U;
    std::size_t max_cached_bytes = std::size_t{256} << 20U;
    // How far pulling runs ahead of the lowest unacknowledged message: what a crash can make come again.
    std::int64_t max_unacknowledged_span = 1'000'000;

    // So often a message comes again before it goes to the dead-letter queue. -1: as the group is configured
    // at the broker (16 unless changed there); in order: for ever.
    std::int32_t max_reconsume_times = -1;
    // What is retried from here (in order, broadcasting, or when the broker could not take it back) comes
    // again for the n-th time after first * 2^(n-1), at most `most`.
    std::chrono::milliseconds retry_first{1'000};
    std::chrono::milliseconds retry_most{60'000};

    std::chrono::milliseconds poll_timeout{15'000};
    // Before a pull that failed is tried again. Sooner when its broker is gone or leads no more: then the
    // name servers are asked who leads, at once and after 50 ms, doubling up to 1 s, and it goes on there.
    std::chrono::milliseconds pull_error_delay{1'000};
    std::chrono::milliseconds rebalance_interval{20'000};
    std::chrono::milliseconds commit_interval{5'000};
    // In order: how often locks are renewed, and how long after the last renewal one is still relied on. The
    // broker gives it to another member after 60 s (its rebalanceLockMaxLiveTime).
    std::chrono::milliseconds lock_interval{20'000};
    std::chrono::milliseconds lock_trust{30'000};

    // Told about what went wrong and is being tried again, in words; called on the io thread.
    std::function<void(const error&)> on_trouble{};
};

class push_consumer {
  public:
    explicit push_consumer(push_consumer_options options);
    // Shuts down without grace.
    ~push_consumer();
    push_consumer(const push_consumer&) = delete;
    push_consumer& operator=(const push_consumer&) = delete;

    // `expression`: "*", or tags joined by "||", as "A || B". Before or after start. A second call for the
    // same topic replaces the first.
    result<void> subscribe(std::string_view topic, std::string_view expression = "*");

    // Starts to consume; deliveries come one by one, from several threads at once.
    result<void> start(std::function<void(delivery)> listener);
    // The same, some at a time. What the listener does not move out of the span or settle is retried.
    result<void> start_batches(std::function<void(std::span<delivery>)> listener);

    // Stops pulling, lets running listener calls return, waits up to `grace` for handed-out deliveries to be
    // settled, commits the offsets, leaves the group. Idempotent. Not to be called from the listener.
    void shutdown(std::chrono::milliseconds grace = std::chrono::milliseconds{0});

    // The queues this member holds now, sorted.
    [[nodiscard]] std::vector<message_queue> assignment() const;
    // Commits now what is acknowledged, and waits for the broker's answers.
    result<void> commit();
    [[nodiscard]] const std::string& client_id() const;

  private:
    class engine;
    std::shared_ptr<engine> engine_;
};

} // namespace holdfast::client
