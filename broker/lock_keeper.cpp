#include "broker/lock_keeper.hpp"

#include <utility>

namespace holdfast::broker {

queue_lock lock_keeper::current(queue_key queue, const lock_batch& batch) const {
    if (const auto decided = batch.after_.find(queue); decided != batch.after_.end())
        return decided->second;
    return durable_(queue).value_or(queue_lock{});
}

bool lock_keeper::is_alive(queue_key queue, const queue_lock& lock, instant now) const {
    const auto found = refreshed_.find(queue);
    const bool known = found != refreshed_.end() && found->second.epoch == lock.epoch;
    return now - (known ? found->second.at : started_) < life_;
}

void lock_keeper::change(queue_key queue, queue_lock found, std::string owner, lock_batch& batch) {
    queue_lock after{std::move(owner), found.epoch + 1};
    batch.changes_.push_back({queue, after});
    batch.after_[queue] = std::move(after);
}

void lock_keeper::lock(const std::string& client, const std::vector<queue_key>& queues, instant now,
                       lock_batch& batch) const {
    for (const auto queue : queues) {
        if (batch.full())
            return;
        auto found = current(queue, batch);
        if (found.owner == client)
            continue;
        // What this batch has just decided is younger than any refresh.
        const bool is_new = batch.after_.contains(queue);
        if (found.owner.empty() || (!is_new && !is_alive(queue, found, now)))
            change(queue, std::move(found), client, batch);
    }
}

void lock_keeper::unlock(const std::string& client, const std::vector<queue_key>& queues,
                         lock_batch& batch) const {
    for (const auto queue : queues) {
        if (batch.full())
            return;
        auto found = current(queue, batch);
        if (found.owner == client)
            change(queue, std::move(found), {}, batch);
    }
}

std::vector<queue_key> lock_keeper::held(const std::string& client, const std::vector<queue_key>& queues,
                                         instant now) {
    std::vector<queue_key> mine;
    for (const auto queue : queues) {
        const auto lock = durable_(queue);
        if (!lock || lock->owner != client)
            continue;
        refreshed_[queue] = {lock->epoch, now};
        mine.push_back(queue);
    }
    return mine;
}

std::string lock_keeper::holder(queue_key queue, instant now) const {
    auto lock = durable_(queue);
    return lock && !lock->owner.empty() && is_alive(queue, *lock, now) ? std::move(lock->owner)
                                                                       : std::string{};
}

void lock_keeper::tidy() {
    std::erase_if(refreshed_, [&](const auto& refreshed) {
        const auto lock = durable_(refreshed.first);
        return !lock || lock->epoch != refreshed.second.epoch;
    });
}

} // namespace holdfast::broker
