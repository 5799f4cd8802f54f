#include "broker/state.hpp"

#include "broker/command.hpp"
#include "broker/members.hpp"
#include "broker/snapshot.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {

result<void> state::apply(byte_view entry, log_position position, state_changes& changes,
                          std::vector<queue_offset>& offsets) {
    application what{entry, position, true, changes, offsets};
    return apply_commands(what);
}

result<void> state::apply_messages(byte_view entry, log_position position, state_changes& changes) {
    std::vector<queue_offset> offsets;
    application what{entry, position, false, changes, offsets};
    return apply_commands(what);
}

result<void> state::apply_commands(application& what) {
    command_cursor cursor{what.entry, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure();
        const auto& header = command->header;
        result<void> applied;
        switch (header.kind) {
        case command_kind::message:
            what.offsets.push_back(
                append({header.topic, header.queue},
                       {what.position + command->payload_offset, header.size, header.tags}));
            break;
        case command_kind::half:
        case command_kind::lean_half:
        case command_kind::decisions:
        case command_kind::packed_decisions:
        case command_kind::half_checks:
        case command_kind::delayed:
        case command_kind::lean_delayed:
        case command_kind::deliveries:
        case command_kind::delayed_cancel:
            applied = apply_delivery(*command, what);
            break;
        default:
            if (what.facts)
                applied = apply_fact(*command, what);
            break;
        }
        if (!applied.ok())
            return applied;
    }
    return {};
}

result<void> state::apply_fact(const command_view& command, application& what) {
    auto& changes = what.changes;
    switch (command.header.kind) {
    case command_kind::topic_put:
        return put_topic(command.payload, existing::is_replaced, changes);
    case command_kind::topic_create:
        return put_topic(command.payload, existing::stays, changes);
    case command_kind::topic_delete:
        delete_topic(as_text(command.payload), changes);
        return {};
    case command_kind::group_put:
        return put_group(command.payload, existing::is_replaced, changes);
    case command_kind::group_create:
        return put_group(command.payload, existing::stays, changes);
    case command_kind::group_delete:
        delete_group(as_text(command.payload), changes);
        return {};
    case command_kind::offsets_commit:
        return commit_offsets(command.payload, changes);
    case command_kind::queue_locks:
        return change_locks(command.payload, changes);
    case command_kind::leadership:
    case command_kind::idle_mark:
        return {};
    case command_kind::members: {
        auto members = decode_members(command.payload);
        if (!members.ok())
            return members.failure();
        members_ = std::move(*members);
        return {};
    }
    case command_kind::trim:
        return trim(command.payload, changes);
    default:
        return error{errc::not_supported, "the log holds a command of kind " +
                                              std::to_string(static_cast<int>(command.header.kind)) +
                                              " at position " + std::to_string(what.position.value()) +
                                              ", which this version does not know: start the version that "
                                              "wrote it"};
    }
}

queue_offset state::append(queue_key key, const storage::queue_index_entry& entry) {
    auto* const queue = find_queue(key);
    if (queue == nullptr)
        return queue_offset{-1};
    if (queue->run.empty())
        touched_.push_back(queue);
    queue->run.push_back(entry);
    return queue->next + static_cast<std::int64_t>(queue->run.size() - 1);
}

state::queue_state* state::find_queue(queue_key key) {
    if (const auto found = queues_.find(key); found != queues_.end())
        return &found->second;
    if (!topics_by_id_.contains(key.topic))
        return nullptr;
    return &queues_.emplace(key, queue_state{key, queue_offset{0}, queue_offset{0}, {}}).first->second;
}

void state::collect_runs(state_changes& changes) {
    changes.runs.reserve(changes.runs.size() + touched_.size());
    for (auto* const queue : touched_) {
        const auto count = static_cast<std::int64_t>(queue->run.size());
        changes.runs.push_back({queue->key, queue->next, std::exchange(queue->run, {})});
        queue->next += count;
    }
    touched_.clear();
}

result<void> state::put_topic(byte_view payload, existing known, state_changes& changes) {
    auto decoded = decode_topic_config(payload);
    if (!decoded.ok())
        return decoded.failure();
    auto config = std::move(*decoded);
    const auto found = topics_.find(config.name);
    if (found != topics_.end() && known == existing::stays)
        return {};
    if (found != topics_.end())
        config.id = found->second->id;
    else
        config.id = std::exchange(next_topic_id_, next_topic_id_ + 1U);
    const auto topic = std::make_shared<const topic_config>(std::move(config));
    topics_[topic->name] = topic;
    topics_by_id_[topic->id] = topic;
    changes.facts.emplace_back(topic_put{topic});
    return {};
}

void state::delete_topic(std::string_view name, state_changes& changes) {
    const auto found = topics_.find(name);
    if (found == topics_.end())
        return;
    const auto topic = found->second;
    std::erase_if(touched_, [&](const queue_state* queue) { return queue->key.topic == topic->id; });
    topics_.erase(found);
    topics_by_id_.erase(topic->id);
    std::erase_if(queues_, [&](const auto& queue) { return queue.first.topic == topic->id; });
    for (auto& [group, offsets] : offsets_)
        std::erase_if(offsets, [&](const auto& offset) { return offset.first.topic == topic->id; });
    locks_.forget_topic(topic->id);
    changes.facts.emplace_back(topic_deleted{topic});
}

result<void> state::put_group(byte_view payload, existing known, state_changes& changes) {
    auto decoded = decode_group_config(payload);
    if (!decoded.ok())
        return decoded.failure();
    if (known == existing::stays && groups_.contains(decoded->name))
        return {};
    const auto group = std::make_shared<const group_config>(std::move(*decoded));
    groups_[group->name] = group;
    changes.facts.emplace_back(group_put{group});
    return {};
}

void state::delete_group(std::string_view name, state_changes& changes) {
    if (const auto found = groups_.find(name); found != groups_.end())
        groups_.erase(found);
    if (const auto found = offsets_.find(name); found != offsets_.end())
        offsets_.erase(found);
    locks_.forget_group(name);
    changes.facts.emplace_back(group_deleted{std::string{name}});
}

result<void> state::commit_offsets(byte_view payload, state_changes& changes) {
    auto commits = decode_offset_commits(payload);
    if (!commits.ok())
        return commits.failure();
    for (auto& commit : *commits) {
        // A commit for a deleted topic is late news of an incarnation that is gone.
        if (!topics_by_id_.contains(commit.queue.topic))
            continue;
        restore_offset(commit);
        changes.facts.emplace_back(std::move(commit));
    }
    return {};
}

result<void> state::change_locks(byte_view payload, state_changes& changes) {
    auto decoded = decode_lock_changes(payload);
    if (!decoded.ok())
        return decoded.failure();
    for (auto& change : decoded->changes)
        if (topics_by_id_.contains(change.queue.topic) && locks_.apply(decoded->group, change))
            changes.facts.emplace_back(lock_put{decoded->group, std::move(change)});
    return {};
}

result<void> state::trim(byte_view payload, state_changes& changes) {
    auto snapshot = decode_snapshot(payload);
    if (!snapshot.ok())
        return snapshot.failure();
    if (snapshot->first <= first_position_)
        return {};
    first_position_ = snapshot->first;
    for (const auto& [queue, first] : snapshot->firsts)
        if (auto* const trimmed = find_queue(queue))
            trimmed->first = std::max(trimmed->first, first);
    ledger_.forget_below(snapshot->first);
    runs_.drop_before(snapshot->first);
    changes.facts.emplace_back(log_trimmed{snapshot->first, std::move(snapshot->firsts)});
    return {};
}

void state::restore_topic(topic_config config) {
    const auto topic = std::make_shared<const topic_config>(std::move(config));
    topics_[topic->name] = topic;
    topics_by_id_[topic->id] = topic;
}

void state::restore_group(group_config config) {
    const auto group = std::make_shared<const group_config>(std::move(config));
    groups_[group->name] = group;
}

void state::restore_offset(const offset_commit& commit) {
    auto found = offsets_.find(commit.group);
    if (found == offsets_.end())
        found = offsets_.emplace(commit.group, group_offsets{}).first;
    found->second[commit.queue] = commit.next;
}

void state::restore_queue(queue_key queue, queue_offset first, queue_offset next) {
    queues_[queue] = {queue, first, next, {}};
}

topic_ptr state::find_topic(std::string_view name) const {
    const auto found = topics_.find(name);
    return found == topics_.end() ? nullptr : found->second;
}

topic_ptr state::find_topic(topic_id id) const {
    const auto found = topics_by_id_.find(id);
    return found == topics_by_id_.end() ? nullptr : found->second;
}

queue_offset state::first_offset(queue_key queue) const {
    const auto found = queues_.find(queue);
    return found == queues_.end() ? queue_offset{0} : found->second.first;
}

std::vector<std::pair<queue_key, queue_offset>> state::queue_lengths() const {
    std::vector<std::pair<queue_key, queue_offset>> lengths;
    lengths.reserve(queues_.size());
    for (const auto& [key, queue] : queues_)
        lengths.emplace_back(key, queue.next);
    return lengths;
}

queue_offset state::next_offset(queue_key queue) const {
    const auto found = queues_.find(queue);
    if (found == queues_.end())
        return queue_offset{0};
    return found->second.next + static_cast<std::int64_t>(found->second.run.size());
}

} // namespace holdfast::broker
