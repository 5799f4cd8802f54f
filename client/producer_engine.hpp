// The inside of producer: its runtime, its bounds, and what happens to a try that ended.
#pragma once

#include "client/in_flight_limit.hpp"
#include "client/pending_send.hpp"
#include "client/producer.hpp"
#include "client/runtime.hpp"
#include "protocol/message_id.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

namespace holdfast::client {

enum class send_as : std::uint8_t { message, half };

class producer::engine : public send_owner, public std::enable_shared_from_this<producer::engine> {
  public:
    explicit engine(producer_options options);

    result<void> start();
    // Takes no more messages and waits until every one on its way has its result; the callback that hears the
    // last one may still run. False when there is nothing to drain: not started, or drained before.
    bool drain();
    void shutdown();

    // A half message is invisible until END_TRANSACTION: transaction_producer's.
    void send(message outgoing, const queue_selector* select, send_callback done,
              send_as kind = send_as::message);
    void send_batch(std::span<const message> messages, send_callback done);
    result<void> send_oneway(message outgoing);
    result<std::vector<message_queue>> queues(std::string_view topic);
    result<std::string> recall(const std::string& topic, const std::string& handle);

    [[nodiscard]] bool on_io_thread() const { return runtime_.on_io_thread(); }
    [[nodiscard]] std::size_t in_flight() const { return limit_.messages(); }
    [[nodiscard]] const std::string& client_id() const { return runtime_.client_id(); }
    [[nodiscard]] runtime& client() { return runtime_; }

    void try_answered(std::shared_ptr<pending_send> send, const answer& reply) override;
    void try_failed(std::shared_ptr<pending_send> send, const call_failure& why) override;

  private:
    using send_ptr = std::shared_ptr<pending_send>;
    using clock = in_flight::clock;
    struct waiter {
        clock::time_point deadline;
        runtime::route_handler handler;
    };

    [[nodiscard]] std::optional<send_error> admit(std::size_t bytes);
    void start_on(const send_ptr& send, route_ptr route, message&& outgoing, const queue_selector* select);
    // Calls `handler` with the topic's route, after all handlers that wait for the route of this topic: sends
    // keep the order in which they were called.
    void in_turn(const std::string& topic, clock::time_point deadline, runtime::route_handler handler);
    // Behind those that wait already, after a new route was asked for (producer_fail_over.cpp).
    void wait_for_leader(const send_ptr& send);
    void ask_for_leader(const std::string& topic, unsigned questions_before);
    void leader_answered(const std::string& topic, unsigned questions_before, const result<route_ptr>& got);
    // Ends those whose time is over; true when others wait.
    bool drop_late(const std::string& topic, const result<route_ptr>& got);
    void try_at_leader(const send_ptr& send, const result<route_ptr>& got);
    void serve_waiting(const std::string& topic, const result<route_ptr>& got);
    // The route, if it is known and nobody waits for it.
    route_ptr route_at_once(const std::string& topic);
    void with_route(const std::string& topic, runtime::route_handler handler);
    // `ask`: how the pattern's route is asked for.
    using route_question = void (runtime::*)(const std::string&, runtime::route_handler);
    void offer_route(const std::string& topic, const runtime::route_handler& handler,
                     route_question ask = &runtime::fetch_route);
    // Not on the io thread, unless the route is known.
    result<route_ptr> wait_for_route(const std::string& topic);
    void choose_other_queue(pending_send& send);
    void try_now(const send_ptr& send);
    void try_again_or_fail(const send_ptr& send, send_error why);
    void finish(pending_send& send, const send_result& result);
    void write(byte_buffer& out, const protocol::call& how, const pending_send& send,
               const placed_queue& to) const;

    const producer_options options_;
    runtime runtime_;
    in_flight_limit limit_;

    std::mutex waiting_mutex_;
    std::map<std::string, std::deque<waiter>> waiting_; // by topic; present while some are served
    std::atomic<std::size_t> waiting_topics_{0};
    protocol::unique_key_generator ids_;
    std::atomic<bool> running_{false};
    std::atomic<bool> started_{false};
};

} // namespace holdfast::client
