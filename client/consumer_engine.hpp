// The inside of push_consumer: membership, who has which queue, and the offsets.
//
// Everything but the listener's threads and the answers to the application happens on the runtime's io
// thread.
#pragma once

#include "client/offset_file.hpp"
#include "client/push_consumer.hpp"
#include "client/queue_puller.hpp"
#include "client/runtime.hpp"
#include "client/send_back.hpp"
#include "client/work_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace holdfast::client {

// A message whose handle did not acknowledge it.
struct returned_message {
    std::shared_ptr<pulled_batch> batch;
    std::uint32_t index = 0;
    std::uint32_t retries = 0; // local ones
    std::int32_t level = 0;
    // A broker that is gone is waited for until then.
    std::chrono::steady_clock::time_point give_up{};
    unsigned leaderless_tries = 0;

    [[nodiscard]] message_view view() const { return message_view{batch->record(index)}; }
};

class push_consumer::engine : public std::enable_shared_from_this<push_consumer::engine> {
  public:
    explicit engine(push_consumer_options options);

    result<void> subscribe(std::string_view topic, std::string_view expression);
    result<void> start(work_pool::listener listener);
    void shutdown(std::chrono::milliseconds grace);
    [[nodiscard]] std::vector<message_queue> assignment() const;
    result<void> commit();
    [[nodiscard]] const std::string& client_id() const { return runtime_.client_id(); }

  private:
    class sink;
    using commit_done = std::function<void(result<void>)>;
    using question = std::function<void(connection&, call_handler)>;
    enum class state { made, running, stopped };

    [[nodiscard]] result<void> check_options() const;
    void begin();
    void add_topic(const std::string& topic);
    [[nodiscard]] std::string heartbeat_body() const;
    bool broker_asks(const answer& request);
    void reset_offsets(const answer& request);

    void rebalance_all();
    void rebalance(const std::string& topic);
    void rebalance_soon();
    void ask_members(const std::string& topic, const route_ptr& route);
    void members_known(const std::string& topic, const route_ptr& route, const call_outcome& outcome);
    void assign(const std::string& topic, const std::vector<placed_queue>& wanted);
    void publish_assignment();

    // When a leader is gone (consumer_fail_over.cpp).
    void leader_lost(const std::string& topic);
    void broker_lost(const connection& broker);
    void ask_for_leader(const std::string& topic);
    void route_changed(const std::string& topic);
    void follow(const std::string& topic, const known_route& route);
    // What must be said about a queue to whoever leads its broker: said again to the next leader, for a few
    // seconds, while it is still wanted.
    struct last_word;
    void tell_leader(const placed_queue& place, question put, std::function<bool()> is_wanted,
                     call_handler done);
    void say(const std::shared_ptr<last_word>& word);
    void enter(const std::string& topic, const std::shared_ptr<connection>& leader);
    void entered(const std::string& topic, const std::shared_ptr<connection>& leader);
    void members_changed();

    // What was pulled goes to the listener's threads; in order, one message after the other.
    void deliver(std::shared_ptr<pulled_batch> batch);
    void feed(process_queue& queue);
    // On any thread.
    void take_returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                       std::int32_t level);
    void retry_here(const returned_message& message);
    // On the io thread: to the broker, else to the retry topic, else from here again.
    void send_back_to_broker(const returned_message& message);
    void send_back_to_next_leader(returned_message message);
    void send_back_as_copy(const returned_message& message, const error& why);
    void back_at_broker(const returned_message& message, const call_outcome& outcome,
                        const std::function<void(const error&)>& otherwise);
    void end_return();
    [[nodiscard]] send_back how_to_send_back(const returned_message& message) const;

    // Ordered consumption.
    enum class lock_which : std::uint8_t { all, missing };
    void lock_queues(lock_which which);
    void ask_for_locks(connection& broker, const std::vector<message_queue>& queues);
    void lock_soon();
    void locks_answered(const std::vector<message_queue>& asked, process_queue::clock::time_point when,
                        const call_outcome& outcome);
    void leave(queue_puller& puller);
    // Gives away the queues that leave and whose last message is settled.
    void finish_leaving();
    void unlock(const std::shared_ptr<queue_puller>& puller, std::function<void()> done);
    void unlock_all(std::function<void()> done);
    [[nodiscard]] bool uses_locks() const {
        return options_.ordered && options_.model == message_model::clustering;
    }

    void store_offset(const placed_queue& place, queue_offset offset, std::function<void()> done = {});
    [[nodiscard]] question commit_of(const message_queue& queue, queue_offset offset) const;
    void commit_all(commit_done done);
    void commit_remotely(commit_done done);
    result<void> commit_locally();
    void resume_all();
    void trouble(error what) const;
    // Runs `function` on the io thread and waits for it.
    void run_on_io(const std::function<void()>& function);

    const push_consumer_options options_;
    runtime runtime_;
    std::shared_ptr<sink> sink_;
    std::optional<work_pool> pool_;
    std::optional<puller_context> context_;
    std::atomic<bool> anyone_paused_{false};
    std::atomic<std::size_t> returning_{0}; // messages on their way back to a broker

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    state state_ = state::made;
    std::map<std::string, std::shared_ptr<const subscription>> subscriptions_; // by topic
    std::vector<message_queue> assignment_;

    // The io thread's own.
    struct leader_search {
        bool under_way = false;
        unsigned questions = 0;
        std::chrono::steady_clock::time_point last{};
    };
    bool stopping_ = false;
    std::map<std::string, leader_search> searches_; // by topic
    std::set<std::pair<std::string, std::shared_ptr<connection>>> entering_;
    std::optional<std::chrono::steady_clock::time_point> entered_at_; // a new leader, the last time
    bool registered_ = false;                                         // the first heartbeats are answered
    bool rebalance_is_due_ = false;
    bool locking_is_due_ = false;
    std::set<message_queue> unlocking_; // of the leaving ones: given away, to be forgotten
    // They were there before us, and we have not begun in any queue: where to begin is ours to say. In a
    // queue that is made later nothing is skipped.
    std::set<std::string> old_topics_;
    std::set<std::string> rebalancing_;
    std::set<std::string> rebalance_again_; // of those: asked for meanwhile
    std::map<message_queue, std::shared_ptr<queue_puller>> pullers_;
    std::map<message_queue, queue_offset> committed_;
    std::optional<offset_file> file_;
    offset_file::offsets local_offsets_; // broadcasting: of all queues ever held
};

} // namespace holdfast::client
