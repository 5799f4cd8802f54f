// push_consumer::engine: the locks of ordered consumption (protocol reference 3.5, 6.9).
#include "client/consumer_engine.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>

namespace holdfast::client {

namespace {

protocol::message_queue to_wire(const message_queue& queue) {
    return {.topic = queue.topic,
            .broker_name = queue.broker_name,
            .queue_id = static_cast<std::int32_t>(queue.queue.value())};
}

} // namespace

void push_consumer::engine::lock_queues(lock_which which) {
    if (!uses_locks() || stopping_)
        return;
    std::map<std::shared_ptr<connection>, std::vector<message_queue>> by_broker;
    for (const auto& [id, puller] : pullers_)
        if (!unlocking_.contains(id) && (which == lock_which::all || !puller->is_locked()))
            by_broker[puller->place().broker].push_back(id);
    for (const auto& [broker, queues] : by_broker)
        ask_for_locks(*broker, queues);
}

void push_consumer::engine::ask_for_locks(connection& broker, const std::vector<message_queue>& queues) {
    protocol::lock_batch_body body{.consumer_group = options_.group, .client_id = client_id()};
    for (const message_queue& each : queues)
        body.queues.push_back(to_wire(each));
    ask(broker, protocol::lock_batch_request{}, as_bytes(protocol::encode_lock_batch(body)),
        options_.client.request_timeout,
        [this, queues, asked = process_queue::clock::now()](const call_outcome& outcome) {
            locks_answered(queues, asked, outcome);
        });
}

void push_consumer::engine::lock_soon() {
    if (std::exchange(locking_is_due_, true))
        return;
    runtime_.after(options_.pull_error_delay, [this] {
        locking_is_due_ = false;
        lock_queues(lock_which::missing);
    });
}

void push_consumer::engine::locks_answered(const std::vector<message_queue>& asked,
                                           process_queue::clock::time_point when,
                                           const call_outcome& outcome) {
    if (!outcome.ok()) {
        // What is locked stays ours for a while; the rest is asked for again.
        const error why = to_error(outcome);
        trouble({why.code, "can't lock queues of group " + options_.group + ": " + why.message});
        if (is_fail_over(outcome))
            for (const message_queue& each : asked)
                leader_lost(each.topic);
        return lock_soon();
    }
    const auto held = protocol::decode_locked_queues(outcome.reply->command().body());
    if (!held) {
        trouble(held.failure());
        return lock_soon();
    }
    bool all = true;
    for (const message_queue& each : asked) {
        const auto found = pullers_.find(each);
        if (found == pullers_.end() || unlocking_.contains(each))
            continue;
        if (std::find(held->begin(), held->end(), to_wire(each)) != held->end()) {
            found->second->locked_until(when + options_.lock_trust);
        } else {
            found->second->lock_refused();
            all = false;
        }
    }
    if (!all)
        lock_soon();
}

void push_consumer::engine::leave(queue_puller& puller) {
    if (!puller.is_leaving())
        puller.leave();
}

// First the offset, then the lock: the next owner must begin behind what was done here.
void push_consumer::engine::finish_leaving() {
    for (const auto& [id, puller] : pullers_) {
        if (!puller->is_leaving() || puller->is_in_work() || unlocking_.contains(id))
            continue;
        unlocking_.insert(id);
        const auto& queue = puller->queue();
        const bool may_store = queue != nullptr && !queue->dropped() && queue->trusted();
        const auto last = puller->drop();
        // Posted: a question that fails at once is answered in the middle of this loop.
        const auto forget = [this, id = id] {
            runtime_.post([this, id] {
                unlocking_.erase(id);
                committed_.erase(id);
                pullers_.erase(id);
                if (!stopping_)
                    rebalance_soon(); // it may have been given to us again meanwhile
            });
        };
        const auto give_away = [this, puller = puller, forget] { unlock(puller, forget); };
        if (last && may_store)
            store_offset(puller->place(), *last, give_away);
        else
            give_away();
    }
}

void push_consumer::engine::unlock(const std::shared_ptr<queue_puller>& puller, std::function<void()> done) {
    const auto put = [this, id = puller->place().id](connection& leader, call_handler handler) {
        const protocol::lock_batch_body body{
            .consumer_group = options_.group, .client_id = client_id(), .queues = {to_wire(id)}};
        ask(leader, protocol::unlock_batch_request{}, as_bytes(protocol::encode_lock_batch(body)),
            options_.client.request_timeout, std::move(handler));
    };
    // Should it fail, the lock expires by itself.
    tell_leader(
        puller->place(), put, [] { return true; }, [done = std::move(done)](const call_outcome&) { done(); });
}

void push_consumer::engine::unlock_all(std::function<void()> done) {
    // The last share to go reports.
    const std::shared_ptr<void> all{nullptr, [done = std::move(done)](void*) { done(); }};
    if (!uses_locks())
        return;
    for (const auto& [id, puller] : pullers_) {
        // A message in work keeps its queue from others until the lock expires.
        if (puller->is_in_work() || !puller->is_locked() || unlocking_.contains(id))
            continue;
        puller->drop();
        unlock(puller, [all] {});
    }
}

} // namespace holdfast::client
