// What one member knows about one queue assigned to it: what was pulled, what of it is acknowledged, and
// hence how far the group's offset may go.
//
// Owns the ledger of pulled batches. The rule of the house (protocol reference 6.4): committable() never
// passes the lowest message that is pulled and not acknowledged, in whatever order acknowledgements come.
//
// Acknowledging is two atomic operations on the batch; the queue's lock is taken once per batch, when its
// last message is acknowledged. All functions may be called from any thread.
//
// A queue lost in a rebalance is dropped: its handles stay usable, and what they say has no effect any more.
//
// In order: one message at a time has the turn (delivery_turn.hpp), and only while the group's lock of the
// queue is known to be ours.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "client/delivery_turn.hpp"
#include "client/message.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace holdfast::client {

class process_queue;
class pulled_batch;

// A level below 0 asks for the dead-letter queue (protocol reference 3.2, 36).
inline constexpr std::int32_t dead_letter_level = -1;

enum class delivery_order : std::uint8_t { any, one_by_one };

// Where handles report to. Called on the thread that settled the handle, never under a lock of the queue.
class delivery_sink {
  public:
    virtual ~delivery_sink() = default;
    // Message `index` is not done; `retries` local retries lie behind it. The sink ends it by ack(), when the
    // broker has it, or by give_back().
    virtual void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                          std::int32_t level) = 0;
    // In order only: the next message may have its turn.
    virtual void turn_ended(process_queue& queue) = 0;
    // A whole batch is acknowledged: the queue has room for another.
    virtual void batch_completed(process_queue& queue) = 0;
    // Only while the queue is closing: a batch has no handle out any more.
    virtual void hand_emptied() = 0;
    // Of all queues that report here: the bytes of their batches that are not wholly acknowledged.
    std::atomic<std::size_t> cached_bytes{0};
};

struct pulled_record {
    std::uint32_t position; // in the batch's bytes
    std::uint32_t size;
    queue_offset offset;
    bool is_compressed = false; // its body
};

// The records of one pull answer: one shared buffer, and which of them are acknowledged.
class pulled_batch : public std::enable_shared_from_this<pulled_batch> {
  public:
    pulled_batch(std::shared_ptr<process_queue> owner, std::uint64_t sequence, shared_bytes bytes,
                 std::vector<pulled_record> records, queue_offset next);

    [[nodiscard]] process_queue& owner() const { return *owner_; }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(records_.size()); }
    [[nodiscard]] byte_view record(std::uint32_t index) const {
        return bytes_.view().subspan(records_[index].position, records_[index].size);
    }
    [[nodiscard]] queue_offset offset(std::uint32_t index) const { return records_[index].offset; }
    [[nodiscard]] bool is_compressed(std::uint32_t index) const { return records_[index].is_compressed; }

    // A handle to each of `count` messages is about to be made. Each settles its message once, by ack or
    // retry; a retry ends in ack or give_back.
    void hand_out(std::uint32_t count) { state_.fetch_add(one_in_hand * count, std::memory_order_relaxed); }
    void ack(std::uint32_t index);
    void retry(std::uint32_t index, std::uint32_t retries, std::int32_t level);
    // It is not done, and nobody has it in hand any more.
    void give_back();

    // The lowest unacknowledged offset; the offset after the batch when there is none.
    [[nodiscard]] queue_offset lowest_unacknowledged() const;
    [[nodiscard]] std::uint32_t in_hand() const;

  private:
    friend class process_queue;
    // size() when there is none.
    [[nodiscard]] std::uint32_t first_unacknowledged() const;
    // Low half: not acknowledged; high half: handles out. One word, so that an ack is one operation.
    static constexpr std::uint64_t one_unacknowledged = 1;
    static constexpr std::uint64_t one_in_hand = std::uint64_t{1} << 32U;

    void handle_gone(std::uint64_t state_before) const;

    std::shared_ptr<process_queue> owner_;
    std::uint64_t sequence_;
    shared_bytes bytes_;
    std::vector<pulled_record> records_;
    queue_offset next_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> acknowledged_; // one bit per record
    std::atomic<std::uint64_t> state_;
};

class process_queue : public std::enable_shared_from_this<process_queue> {
  public:
    using clock = std::chrono::steady_clock;

    // `first`: where pulling begins.
    process_queue(message_queue id, queue_offset first, std::shared_ptr<delivery_sink> sink,
                  delivery_order order = delivery_order::any);

    [[nodiscard]] const message_queue& id() const { return id_; }

    // Takes one pull answer: its wanted records (ascending offsets; may be none) and where to pull next.
    // Null when there are no records or the queue is dropped.
    std::shared_ptr<pulled_batch> add(shared_bytes bytes, std::vector<pulled_record> records,
                                      queue_offset next);
    // Nothing exists before `next` any more: pull from there. What is in work stays in work.
    void skip_to(queue_offset next);

    [[nodiscard]] queue_offset pulled_to() const;
    // What the group's offset may be set to.
    [[nodiscard]] queue_offset committable() const;
    // Of the batches that are not wholly acknowledged.
    [[nodiscard]] std::size_t cached_messages() const { return cached_messages_.load(); }
    [[nodiscard]] std::size_t cached_bytes() const { return cached_bytes_.load(); }

    // The queue is no longer ours (or begins anew with another process_queue). Returns the last committable
    // offset, empty when it was dropped before.
    std::optional<queue_offset> drop();
    [[nodiscard]] bool dropped() const { return dropped_.load(std::memory_order_acquire); }

    [[nodiscard]] bool in_order() const { return order_ == delivery_order::one_by_one; }
    [[nodiscard]] delivery_turn& turn() { return turn_; }
    // Ends the turn and tells the sink. In order only.
    void end_turn();
    struct place {
        std::shared_ptr<pulled_batch> batch;
        std::uint32_t index = 0;
    };
    // The lowest message that is not acknowledged: in order, the next one.
    [[nodiscard]] std::optional<place> front() const;
    // In order, the group's lock is believed to be ours until then, and not at all before the first call.
    void trust_until(clock::time_point when) { trusted_until_.store(when.time_since_epoch().count()); }
    // In order, messages may be handed out and offsets stored.
    [[nodiscard]] bool trusted() const {
        return !in_order() || clock::now().time_since_epoch().count() < trusted_until_.load();
    }
    [[nodiscard]] bool deliverable() const {
        return !dropped() && (!in_order() || (!closing() && trusted()));
    }

    // From now on delivery_sink::hand_emptied is called; in order, nothing is handed out any more.
    void close() { closing_.store(true, std::memory_order_seq_cst); }
    [[nodiscard]] bool closing() const { return closing_.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::size_t in_hand() const;

    [[nodiscard]] delivery_sink& sink() const { return *sink_; }

  private:
    friend class pulled_batch;
    struct entry {
        std::shared_ptr<pulled_batch> batch; // null once all of it is acknowledged
        queue_offset next;
    };

    void completed(const pulled_batch& batch);

    const message_queue id_;
    const std::shared_ptr<delivery_sink> sink_;
    const delivery_order order_;
    delivery_turn turn_;
    std::atomic<clock::rep> trusted_until_{std::numeric_limits<clock::rep>::min()};
    std::atomic<bool> dropped_{false};
    std::atomic<bool> closing_{false};
    std::atomic<std::size_t> cached_messages_{0};
    std::atomic<std::size_t> cached_bytes_{0};

    mutable std::mutex mutex_;
    std::deque<entry> entries_; // the first one is never complete
    std::uint64_t first_sequence_ = 0;
    queue_offset pulled_to_;
};

} // namespace holdfast::client
