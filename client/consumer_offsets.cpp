// push_consumer::engine: offsets on their way to the broker, or into the file (protocol reference 6.4).
#include "client/consumer_engine.hpp"

#include <future>

namespace holdfast::client {

namespace {

// In order, only while the lock is ours: another member may be further.
bool may_store(const queue_puller& puller) {
    const auto& queue = puller.queue();
    return queue != nullptr && !queue->dropped() && queue->trusted();
}

} // namespace

// At once, because the queue leaves us or begins elsewhere. Should it fail, messages come again: no loss.
void push_consumer::engine::store_offset(const placed_queue& place, queue_offset offset,
                                         std::function<void()> done) {
    if (options_.model == message_model::broadcasting) {
        local_offsets_[place.id] = offset;
        if (auto saved = file_->save(local_offsets_); !saved)
            trouble(saved.failure());
        if (done)
            done();
        return;
    }
    committed_[place.id] = offset;
    // If it is ours (again), a later commit says more.
    const auto is_wanted = [this, id = place.id] {
        const auto held = pullers_.find(id);
        return held == pullers_.end() || held->second->is_leaving();
    };
    tell_leader(place, commit_of(place.id, offset), is_wanted,
                [this, id = place.id, done = std::move(done)](const call_outcome& outcome) {
                    if (!outcome.ok()) {
                        committed_.erase(id);
                        trouble(to_error(outcome));
                    }
                    if (done)
                        done();
                });
}

push_consumer::engine::question push_consumer::engine::commit_of(const message_queue& queue,
                                                                 queue_offset offset) const {
    return [this, queue, offset](connection& leader, call_handler handler) {
        const protocol::update_consumer_offset_request request{.consumer_group = options_.group,
                                                               .topic = queue.topic,
                                                               .queue = queue.queue,
                                                               .commit_offset = offset};
        ask(leader, request, {}, options_.client.request_timeout, std::move(handler));
    };
}

void push_consumer::engine::commit_all(commit_done done) {
    if (options_.model == message_model::broadcasting)
        return done(commit_locally());
    commit_remotely(std::move(done));
}

result<void> push_consumer::engine::commit_locally() {
    bool changed = false;
    for (const auto& [id, puller] : pullers_) {
        if (!may_store(*puller))
            continue;
        const queue_offset offset = puller->queue()->committable();
        const auto [kept, fresh] = local_offsets_.try_emplace(id, offset);
        changed = changed || fresh || kept->second != offset;
        kept->second = offset;
    }
    return changed ? file_->save(local_offsets_) : result<void>{};
}

void push_consumer::engine::commit_remotely(commit_done done) {
    struct progress {
        explicit progress(commit_done to) : done(std::move(to)) {}
        ~progress() { done(outcome); }
        commit_done done;
        result<void> outcome;
    };
    // The last answer to let go of it reports.
    const auto all = std::make_shared<progress>(std::move(done));
    for (const auto& [id, puller] : pullers_) {
        if (!may_store(*puller))
            continue;
        const queue_offset offset = puller->queue()->committable();
        if (const auto known = committed_.find(id); known != committed_.end() && known->second == offset)
            continue;
        const auto is_wanted = [this, queue = id, offset] {
            const auto held = pullers_.find(queue);
            const auto known = committed_.find(queue);
            return held != pullers_.end() && may_store(*held->second) &&
                   (known == committed_.end() || known->second < offset);
        };
        tell_leader(puller->place(), commit_of(id, offset), is_wanted,
                    [this, all, queue = id, offset](const call_outcome& outcome) {
                        if (outcome.ok()) {
                            committed_[queue] = offset;
                            return;
                        }
                        const error why = to_error(outcome);
                        all->outcome = error{why.code, "can't store the offset of queue " +
                                                           std::to_string(queue.queue.value()) + " of " +
                                                           queue.topic + ": " + why.message};
                    });
    }
}

result<void> push_consumer::engine::commit() {
    {
        const std::lock_guard lock{mutex_};
        if (state_ != state::running)
            return error{errc::unavailable, "the consumer is not running"};
    }
    std::promise<result<void>> answered;
    runtime_.post([&] { commit_all([&](result<void> outcome) { answered.set_value(std::move(outcome)); }); });
    return answered.get_future().get();
}

} // namespace holdfast::client
