#include "broker/queue_locks.hpp"

#include "broker/field_codec.hpp"

namespace holdfast::broker {
namespace {

constexpr std::uint8_t records_version = 1;

error malformed() {
    return {errc::corrupted, "a change of queue locks in the log does not follow its format"};
}

} // namespace

std::string encode(const lock_changes& changes) {
    HOLDFAST_CHECK(changes.changes.size() <= lock_changes::max_changes);
    field_writer out;
    out.put(records_version).put_text(changes.group).put(static_cast<std::uint32_t>(changes.changes.size()));
    for (const auto& [queue, lock] : changes.changes)
        out.put(queue.topic.value()).put(queue.queue.value()).put(lock.epoch).put_text(lock.owner);
    return out.take();
}

result<lock_changes> decode_lock_changes(byte_view bytes) {
    field_reader in{bytes};
    lock_changes changes;
    if (in.take<std::uint8_t>() != records_version)
        return malformed();
    changes.group = in.take_text();
    const auto count = in.take<std::uint32_t>();
    if (count > lock_changes::max_changes)
        return malformed();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        lock_change change;
        change.queue.topic = topic_id{in.take<std::uint32_t>()};
        change.queue.queue = queue_number{in.take<std::uint32_t>()};
        change.lock.epoch = in.take<std::uint64_t>();
        change.lock.owner = in.take_text();
        changes.changes.push_back(std::move(change));
    }
    if (!in.ok())
        return malformed();
    return changes;
}

queue_locks::group_locks& queue_locks::of(std::string_view group) {
    const auto found = groups_.find(group);
    return found != groups_.end() ? found->second : groups_[std::string{group}];
}

bool queue_locks::apply(std::string_view group, const lock_change& change) {
    const auto current = find(group, change.queue);
    if (change.lock.epoch != (current ? current->epoch : 0) + 1)
        return false;
    restore(group, change);
    return true;
}

void queue_locks::restore(std::string_view group, const lock_change& change) {
    of(group)[change.queue] = change.lock;
}

void queue_locks::forget_group(std::string_view group) {
    if (const auto found = groups_.find(group); found != groups_.end())
        groups_.erase(found);
}

void queue_locks::forget_topic(topic_id topic) {
    for (auto group = groups_.begin(); group != groups_.end();) {
        std::erase_if(group->second, [&](const auto& lock) { return lock.first.topic == topic; });
        group = group->second.empty() ? groups_.erase(group) : std::next(group);
    }
}

std::optional<queue_lock> queue_locks::find(std::string_view group, queue_key queue) const {
    const auto locks = groups_.find(group);
    if (locks == groups_.end())
        return std::nullopt;
    const auto found = locks->second.find(queue);
    return found == locks->second.end() ? std::nullopt : std::optional{found->second};
}

} // namespace holdfast::broker
