// push_consumer::engine: messages to the listener, and those that come back from it undone (protocol
// reference 6.5).
#include "client/consumer_engine.hpp"
#include "client/retry_policy.hpp"
#include "protocol/names.hpp"

#include <algorithm>

namespace holdfast::client {

namespace {

// How long a message waits for a leader that takes it back, before it goes another way.
constexpr std::chrono::seconds return_patience{10};

} // namespace

void push_consumer::engine::deliver(std::shared_ptr<pulled_batch> batch) {
    if (options_.ordered)
        feed(batch->owner());
    else
        pool_->add(std::move(batch));
}

void push_consumer::engine::feed(process_queue& queue) {
    while (queue.deliverable()) {
        const auto ticket = queue.turn().take();
        if (ticket == 0)
            return; // whoever has the turn comes by when it ends
        if (auto next = queue.front())
            return pool_->add_later(std::move(next->batch), next->index, queue.turn().retries(),
                                    work_pool::clock::now(), ticket);
        queue.turn().withdraw(ticket);
        // One that was pulled between the two was sent away by our ticket.
        if (!queue.front())
            return;
    }
}

void push_consumer::engine::take_returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index,
                                          std::uint32_t retries, std::int32_t level) {
    returned_message message{.batch = std::move(batch), .index = index, .retries = retries, .level = level};
    if (options_.ordered && level >= 0) {
        const std::uint32_t times = message.view().reconsume_times() + retries;
        const bool exhausted = options_.max_reconsume_times >= 0 &&
                               times >= static_cast<std::uint32_t>(options_.max_reconsume_times);
        message.level = exhausted ? dead_letter_level : 0;
    }
    const bool goes_back =
        message.level < 0 || (!options_.ordered && options_.model == message_model::clustering);
    if (!goes_back)
        return retry_here(message);
    message.give_up = std::chrono::steady_clock::now() + return_patience;
    ++returning_;
    runtime_.post([weak = weak_from_this(), message = std::move(message)] {
        if (const auto alive = weak.lock())
            alive->send_back_to_broker(message);
    });
}

void push_consumer::engine::retry_here(const returned_message& message) {
    process_queue& owner = message.batch->owner();
    const auto pause =
        std::min(options_.retry_most, options_.retry_first * (1U << std::min(message.retries, 20U)));
    const auto ticket = owner.in_order() ? owner.turn().again() : 0;
    pool_->add_later(message.batch, message.index, message.retries + 1, work_pool::clock::now() + pause,
                     ticket);
    // A queue that leaves waits for its last message, not for a pause.
    if (owner.in_order() && owner.closing()) {
        owner.turn().withdraw(ticket);
        owner.sink().turn_ended(owner);
    }
    message.batch->give_back();
}

void push_consumer::engine::send_back_to_broker(const returned_message& message) {
    const message_queue& from = message.batch->owner().id();
    const auto held = pullers_.find(from);
    if (held == pullers_.end() || message.batch->owner().dropped()) {
        // Another member's by now: it gets the message, too.
        if (message.batch->owner().in_order())
            message.batch->owner().end_turn();
        message.batch->give_back();
        return end_return();
    }
    ask_to_take_back(
        *held->second->place().broker, message.view(), how_to_send_back(message),
        options_.client.request_timeout, [this, message](const call_outcome& outcome) {
            if (is_fail_over(outcome) && !stopping_ && std::chrono::steady_clock::now() < message.give_up)
                return send_back_to_next_leader(message);
            back_at_broker(message, outcome, [&](const error& why) { send_back_as_copy(message, why); });
        });
}

// Should the old one have taken it, it comes twice: at least once.
void push_consumer::engine::send_back_to_next_leader(returned_message message) {
    leader_lost(message.batch->owner().id().topic);
    const auto pause = leader_search_pause(message.leaderless_tries++);
    runtime_.after(pause, [this, message = std::move(message)] { send_back_to_broker(message); });
}

void push_consumer::engine::send_back_as_copy(const returned_message& message, const error& why) {
    trouble({why.code,
             "a message can't be given back to its broker, sending it to the retry topic: " + why.message});
    const auto from_here = [this, message](const error& last) {
        trouble({last.code, "a message can't be sent to the retry topic, delivering it again from here: " +
                                last.message});
        retry_here(message);
        end_return();
    };
    const auto send = [this, message, from_here](const result<route_ptr>& route) {
        if (!route)
            return from_here(route.failure());
        const auto& queues = (*route)->writable;
        if (queues.empty())
            return from_here({errc::not_found, "the retry topic has no writable queue"});
        const std::size_t turn = (*route)->next.fetch_add(1, std::memory_order_relaxed);
        send_retry_copy(queues[turn % queues.size()], message.view(), how_to_send_back(message),
                        options_.client.request_timeout,
                        [this, message, from_here](const call_outcome& outcome) {
                            back_at_broker(message, outcome, from_here);
                        });
    };
    const std::string topic = protocol::retry_topic_of(options_.group);
    if (const route_ptr known = runtime_.routes().find(topic))
        return send(known);
    runtime_.fetch_route(topic, send);
}

void push_consumer::engine::back_at_broker(const returned_message& message, const call_outcome& outcome,
                                           const std::function<void(const error&)>& otherwise) {
    if (!outcome.ok())
        return otherwise(to_error(outcome));
    message.batch->ack(message.index);
    end_return();
}

void push_consumer::engine::end_return() {
    if (--returning_ != 0)
        return;
    const std::lock_guard lock{mutex_};
    changed_.notify_all();
}

send_back push_consumer::engine::how_to_send_back(const returned_message& message) const {
    return {.group = options_.group,
            .level = message.level,
            .max_reconsume_times =
                options_.max_reconsume_times < 0 ? std::nullopt : std::optional{options_.max_reconsume_times},
            .broker_name = message.batch->owner().id().broker_name};
}

} // namespace holdfast::client
