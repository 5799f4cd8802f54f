#include "storage/queue_index.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::storage {

queue_index::shard& queue_index::shard_of(queue_key key) {
    return shards_[(std::hash<queue_key>{}(key) >> 32U) % shard_count];
}

const queue_index::shard& queue_index::shard_of(queue_key key) const {
    return shards_[(std::hash<queue_key>{}(key) >> 32U) % shard_count];
}

std::shared_ptr<queue_index::queue> queue_index::find(queue_key key) const {
    const auto& home = shard_of(key);
    const std::lock_guard lock{home.mutex};
    const auto found = home.queues.find(key);
    return found == home.queues.end() ? nullptr : found->second;
}

std::shared_ptr<queue_index::queue> queue_index::find_or_make(queue_key key) {
    auto& home = shard_of(key);
    const std::lock_guard lock{home.mutex};
    auto& slot = home.queues[key];
    if (!slot)
        slot = std::make_shared<queue>();
    return slot;
}

void queue_index::restore(queue_key key, queue_bounds bounds) {
    const auto target = find_or_make(key);
    const std::lock_guard lock{target->mutex};
    target->first = bounds.first;
    target->first_in_memory = bounds.last;
    target->tail.clear();
}

void queue_index::append(queue_key key, queue_offset first, std::span<const queue_index_entry> entries,
                         std::vector<waiter_id>& woken) {
    const auto target = find_or_make(key);
    const std::lock_guard lock{target->mutex};
    HOLDFAST_CHECK(target->next() == first);
    target->tail.insert(target->tail.end(), entries.begin(), entries.end());
    woken.insert(woken.end(), target->waiters.begin(), target->waiters.end());
    target->waiters.clear();
}

void queue_index::evict(queue_key key, queue_offset until) {
    const auto target = find(key);
    if (!target)
        return;
    const std::lock_guard lock{target->mutex};
    const auto count = std::clamp<std::int64_t>(until - target->first_in_memory, 0,
                                                static_cast<std::int64_t>(target->tail.size()));
    if (count == 0)
        return;
    // A queue that fell silent gives its memory back; a busy one is about to need it again.
    if (static_cast<std::size_t>(count) == target->tail.size())
        target->tail = {};
    else
        target->tail.erase(target->tail.begin(), target->tail.begin() + count);
    target->first_in_memory = target->first_in_memory + count;
}

void queue_index::raise_first(queue_key key, queue_offset first) {
    if (const auto target = find(key)) {
        const std::lock_guard lock{target->mutex};
        target->first = std::max(target->first, std::min(first, target->next()));
    }
}

void queue_index::remove_topic(topic_id topic, std::vector<waiter_id>& woken) {
    for (auto& home : shards_) {
        const std::lock_guard lock{home.mutex};
        std::erase_if(home.queues, [&](const auto& slot) {
            if (slot.first.topic != topic)
                return false;
            const std::lock_guard queue_lock{slot.second->mutex};
            woken.insert(woken.end(), slot.second->waiters.begin(), slot.second->waiters.end());
            slot.second->waiters.clear();
            return true;
        });
    }
}

queue_bounds queue_index::bounds(queue_key key) const {
    const auto found = find(key);
    if (!found)
        return {queue_offset{0}, queue_offset{0}};
    const std::lock_guard lock{found->mutex};
    return {found->first, found->next()};
}

result<queue_index::read_result> queue_index::read(queue_key key, queue_offset from, std::size_t limit,
                                                   source where, std::vector<queue_index_entry>& out) const {
    out.clear();
    read_result outcome{{queue_offset{0}, queue_offset{0}}, false};
    const auto found = find(key);
    if (!found)
        return outcome;
    queue_offset first_in_memory;
    {
        const std::lock_guard lock{found->mutex};
        outcome.bounds = {found->first, found->next()};
        if (from < outcome.bounds.first || from >= outcome.bounds.last)
            return outcome;
        first_in_memory = found->first_in_memory;
        if (from >= first_in_memory) {
            const auto skip = static_cast<std::size_t>(from - first_in_memory);
            const auto count = std::min(limit, found->tail.size() - skip);
            const auto begin = found->tail.begin() + static_cast<std::ptrdiff_t>(skip);
            out.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
            return outcome;
        }
    }
    if (where == source::memory_only) {
        outcome.elsewhere = true;
        return outcome;
    }
    auto stored = read_queue_index(store_, key, from,
                                   std::min(limit, static_cast<std::size_t>(first_in_memory - from)));
    if (!stored.ok())
        return stored.failure();
    out = std::move(*stored);
    if (out.empty())
        return error{errc::corrupted, "the queue index lacks offset " + std::to_string(from.value()) +
                                          " of topic id " + std::to_string(key.topic.value()) + ", queue " +
                                          std::to_string(key.queue.value()) +
                                          ": stop the node and delete its derived store, it will be rebuilt"};
    return outcome;
}

bool queue_index::park(queue_key key, queue_offset end, waiter_id waiter) {
    const auto target = find_or_make(key);
    const std::lock_guard lock{target->mutex};
    if (target->next() > end)
        return false;
    target->waiters.push_back(waiter);
    return true;
}

void queue_index::unpark(queue_key key, waiter_id waiter) {
    if (const auto target = find(key)) {
        const std::lock_guard lock{target->mutex};
        std::erase(target->waiters, waiter);
    }
}

std::vector<std::pair<queue_key, queue_bounds>> queue_index::all() const {
    std::vector<std::pair<queue_key, queue_bounds>> queues;
    for (const auto& home : shards_) {
        const std::lock_guard lock{home.mutex};
        for (const auto& [key, held] : home.queues) {
            const std::lock_guard queue_lock{held->mutex};
            queues.emplace_back(key, queue_bounds{held->first, held->next()});
        }
    }
    return queues;
}

} // namespace holdfast::storage
