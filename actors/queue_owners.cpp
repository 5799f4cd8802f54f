#include "actors/queue_owners.hpp"

namespace holdfast::actors {

std::optional<queue_offset> queue_owners::pulled(std::string_view group, queue_key queue, connection_id by,
                                                 queue_offset from) {
    auto& part = shards_[shard_of(queue)];
    const std::lock_guard lock{part.mutex};
    auto entries = part.groups.find(group);
    if (entries == part.groups.end())
        entries = part.groups.emplace(group, group_entries{}).first;
    auto& known = entries->second[queue];
    known.owner = by;
    known.pulled_from = from;
    if (!known.moved_to)
        return std::nullopt;
    const bool again = known.told == by;
    const bool doubts = again && from == known.told_at && known.tellings < most_tellings;
    if (from == *known.moved_to || (again && !doubts)) {
        known.moved_to.reset();
        known.told.reset();
        return std::nullopt;
    }
    known.tellings = again ? known.tellings + 1 : 1;
    known.told = by;
    known.told_at = from;
    return known.moved_to;
}

queue_owners::owner queue_owners::find(std::string_view group, queue_key queue) const {
    const auto& part = shards_[shard_of(queue)];
    const std::lock_guard lock{part.mutex};
    const auto entries = part.groups.find(group);
    if (entries == part.groups.end())
        return {};
    const auto found = entries->second.find(queue);
    if (found == entries->second.end())
        return {};
    return {found->second.owner, found->second.moved_to.has_value(), found->second.pulled_from};
}

void queue_owners::move(const std::string& group, queue_key queue, queue_offset to) {
    auto& part = shards_[shard_of(queue)];
    const std::lock_guard lock{part.mutex};
    auto& known = part.groups[group][queue];
    known.moved_to = to;
    known.told.reset();
}

void queue_owners::forget(std::string_view group, connection_id member) {
    for (auto& part : shards_) {
        const std::lock_guard lock{part.mutex};
        const auto entries = part.groups.find(group);
        if (entries == part.groups.end())
            continue;
        for (auto at = entries->second.begin(); at != entries->second.end();) {
            if (at->second.owner == member)
                at->second.owner.reset();
            at = !at->second.owner && !at->second.moved_to ? entries->second.erase(at) : std::next(at);
        }
        if (entries->second.empty())
            part.groups.erase(entries);
    }
}

} // namespace holdfast::actors
