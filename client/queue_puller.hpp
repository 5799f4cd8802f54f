// Pulls one assigned queue: finds out where to begin, keeps one long poll on its way, hands what comes to the
// listener's threads (protocol reference 3.3, 3.4, 6.8).
//
// Where to begin: the group's stored offset (14); only when the broker says that there is none (code 22),
// what consume_from says; that is stored at once, lest messages that come now are skipped after a crash. Any
// other failure is asked again, never taken for "none" (trap T1). A corrected offset (code 21, trap T2) is
// believed when the broker says it twice: forward, the missing messages are skipped; backward, the queue
// begins anew there. But an offset that is well within the queue is not corrected by mistake: that is how a
// broker tells about a reset (222), once.
//
// When the broker says that a follower shall be asked next (suggestWhichBrokerId), it is, without a long
// poll, until it says otherwise; anything that goes wrong there, and everything but pulls, is the leader's.
//
// In order, nothing begins without the group's lock of the queue, and after a time in which it was not surely
// ours the queue begins anew at the stored offset, once the message that was in work is settled.
//
// Lives on the io thread.
#pragma once

#include "client/process_queue.hpp"
#include "client/push_consumer.hpp"
#include "client/runtime.hpp"
#include "protocol/tags.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::client {

// A topic this consumer wants, as told to the broker.
struct subscription {
    std::string topic;
    std::string expression;
    protocol::tag_filter filter;
    std::int64_t version = 0; // ms; the newer one wins (trap T17)
};

// What all pullers of a consumer share; outlives them.
struct puller_context {
    const push_consumer_options& options;
    runtime& client;
    // Takes what was pulled, for the listener.
    std::function<void(std::shared_ptr<pulled_batch>)> deliver;
    // In order: the next message may have its turn.
    std::function<void(process_queue&)> feed;
    std::shared_ptr<delivery_sink> sink;
    std::function<void(error)> trouble;
    // The queue's broker is gone or does not lead: the next one is looked for, and go_on() is called then.
    std::function<void(const std::string& topic)> leader_lost;
    // Set when a puller waits for room: whoever makes room then calls resume() for all.
    std::atomic<bool>& anyone_paused;
    // The queue's offset in the local store, for broadcasting; empty = none.
    std::function<std::optional<queue_offset>(const message_queue&)> local_offset;
    // Stores an offset now, because the broker corrected it or the queue is lost.
    std::function<void(const placed_queue&, queue_offset)> store_offset;
};

// Where to begin when the group has no offset and the queue still has its first message.
enum class first_start : std::uint8_t {
    skips_nothing, // there: the broker says so
    by_option,     // as consume_from says
};

class queue_puller : public std::enable_shared_from_this<queue_puller> {
  public:
    queue_puller(const puller_context& context, placed_queue place,
                 std::shared_ptr<const subscription> wanted, first_start start);

    [[nodiscard]] const placed_queue& place() const { return place_; }
    // In order: waits for locked_until().
    void start();
    // The broker moved: goes on there at once. False when it is there already.
    bool move_to(const std::shared_ptr<connection>& broker);
    // The broker takes questions again: asks it without a further pause.
    void go_on();
    void use(std::shared_ptr<const subscription> wanted) { wanted_ = std::move(wanted); }

    // The group's lock of the queue is ours until then, or somebody else's.
    void locked_until(process_queue::clock::time_point when);
    void lock_refused();
    [[nodiscard]] bool is_locked() const { return process_queue::clock::now() < locked_until_; }

    // No more pulls; what is pulled stays in work.
    void stop_pulling() { stopped_ = true; }
    // In order, before drop(): no further message has its turn.
    void leave();
    [[nodiscard]] bool is_leaving() const { return leaving_; }
    [[nodiscard]] bool is_in_work() const { return queue_ != nullptr && queue_->turn().is_out(); }
    // The queue is lost: returns the offset to store, empty when it never began.
    std::optional<queue_offset> drop();
    // Begins anew at `offset` and stores it.
    void reset_to(queue_offset offset);
    // Goes on pulling after a pause for lack of room.
    void resume();

    // Null until the start is known.
    [[nodiscard]] const std::shared_ptr<process_queue>& queue() const { return queue_; }

  private:
    [[nodiscard]] bool needs_lock() const;
    void begin_anew();
    void locate();
    void locate_by_rule();
    void locate_later(const error& why, bool leader_is_lost);
    void begin(queue_offset first);
    [[nodiscard]] bool room_above(std::size_t divisor) const;
    void pull();
    void pull_after(std::chrono::milliseconds delay);
    // What a pull that was answered must know of it.
    struct sent_pull {
        std::uint64_t round;
        std::uint64_t number;
        std::shared_ptr<connection> follower;
        std::chrono::steady_clock::time_point asked;
    };
    void pulled(const call_outcome& outcome, const sent_pull& sent);
    // The pause before the next try, after the leader was told to be lost.
    std::chrono::milliseconds look_for_leader();
    void choose_broker(std::int64_t id);
    // It failed: the leader is asked for a while, whatever it suggests.
    void distrust_follower();
    void found(const answer& reply, const protocol::pull_message_response& header, bool by_follower);
    void found_nothing(int code, const protocol::pull_message_response& header,
                       std::chrono::steady_clock::time_point asked);
    void offset_moved(const protocol::pull_message_response& header);
    void refused(const call_outcome& outcome);
    void take_records(const shared_bytes& body, queue_offset first, queue_offset next, bool by_follower);

    const puller_context& context_;
    placed_queue place_;
    std::shared_ptr<connection> follower_; // to pull from; null: from the leader
    std::chrono::steady_clock::time_point followers_distrusted_until_{};
    const first_start first_start_;
    std::shared_ptr<const subscription> wanted_;
    std::shared_ptr<process_queue> queue_;
    queue_offset next_;                       // where the next pull begins
    std::uint64_t round_ = 0;                 // an answer of an older round is not looked at
    std::uint64_t pull_ = 0;                  // nor one of a pull, or a pause, before the last
    const connection* pulled_from_ = nullptr; // whom the last pull asks; null during a pause
    unsigned leaderless_tries_ = 0;           // in a row
    process_queue::clock::time_point locked_until_ = process_queue::clock::time_point::min();
    bool locating_ = false;
    bool leaving_ = false;
    bool stopped_ = false;
    bool pulling_ = false; // a pull is on its way, or a timer that will send one
    bool paused_ = false;
    bool moved_once_ = false;
    std::uint32_t quick_nothings_ = 0;
};

} // namespace holdfast::client
