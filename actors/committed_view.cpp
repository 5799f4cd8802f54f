#include "actors/committed_view.hpp"

#include <mutex>
#include <variant>

namespace holdfast::actors {

committed_view::committed_view(const broker::state& recovered, const storage::derived_store& store)
    : queues_(store),
      deliveries_(store),
      delays_(store, recovered.delay().version, recovered.delay().cursor),
      topics_(recovered.topics()),
      groups_(recovered.groups()),
      locks_(recovered.locks()),
      first_(recovered.first_position().value()) {
    for (const auto& [group, offsets] : recovered.offsets())
        offsets_[group].insert(offsets.begin(), offsets.end());
    for (const auto& [queue, next] : recovered.queue_lengths())
        queues_.restore(queue, {recovered.first_offset(queue), next});
}

void committed_view::apply(const broker::state_changes& changes, std::vector<storage::waiter_id>& woken) {
    if (!changes.facts.empty()) {
        const std::unique_lock lock{mutex_};
        for (const auto& change : changes.facts)
            carry_out(change, woken);
    }
    // Before the queues: whoever finds a delayed message there finds it here as delivered.
    deliveries_.add(changes.settled);
    delays_.add(changes.delayed);
    for (const auto& cancelled : changes.cancelled)
        delays_.remove(cancelled.keys, cancelled.at);
    if (changes.delay)
        delays_.advance(changes.delay->version, changes.delay->cursor);
    for (const auto& run : changes.runs)
        queues_.append(run.queue, run.first, run.entries, woken);
}

void committed_view::carry_out(const broker::fact& change, std::vector<storage::waiter_id>& woken) {
    if (const auto* const put = std::get_if<broker::topic_put>(&change)) {
        topics_[put->topic->name] = put->topic;
        topics_version_.fetch_add(1, std::memory_order_acq_rel);
    } else if (const auto* const deleted = std::get_if<broker::topic_deleted>(&change)) {
        topics_.erase(deleted->topic->name);
        for (auto& [group, offsets] : offsets_)
            std::erase_if(offsets,
                          [&](const auto& offset) { return offset.first.topic == deleted->topic->id; });
        locks_.forget_topic(deleted->topic->id);
        queues_.remove_topic(deleted->topic->id, woken);
        topics_version_.fetch_add(1, std::memory_order_acq_rel);
    } else if (const auto* const group = std::get_if<broker::group_put>(&change)) {
        groups_[group->group->name] = group->group;
    } else if (const auto* const gone = std::get_if<broker::group_deleted>(&change)) {
        groups_.erase(gone->name);
        offsets_.erase(gone->name);
        locks_.forget_group(gone->name);
    } else if (const auto* const commit = std::get_if<broker::offset_commit>(&change)) {
        offsets_[commit->group][commit->queue] = commit->next;
    } else if (const auto* const locked = std::get_if<broker::lock_put>(&change)) {
        locks_.restore(locked->group, locked->change);
    } else if (const auto* const trimmed = std::get_if<broker::log_trimmed>(&change)) {
        first_.store(trimmed->first.value(), std::memory_order_release);
        for (const auto& [queue, first] : trimmed->firsts)
            queues_.raise_first(queue, first);
    }
}

void committed_view::publish(const watermarks& marks, timestamp_ms log_time) {
    log_time_.store(log_time.value(), std::memory_order_release);
    appended_.store(marks.appended.value(), std::memory_order_relaxed);
    flushed_.store(marks.flushed.value(), std::memory_order_relaxed);
    committed_.store(marks.committed.value(), std::memory_order_relaxed);
    applied_.store(marks.applied.value(), std::memory_order_release);
}

broker::topic_ptr committed_view::find_topic(std::string_view name) const {
    const std::shared_lock lock{mutex_};
    const auto found = topics_.find(name);
    return found == topics_.end() ? nullptr : found->second;
}

std::vector<broker::topic_ptr> committed_view::topics() const {
    const std::shared_lock lock{mutex_};
    std::vector<broker::topic_ptr> all;
    all.reserve(topics_.size());
    for (const auto& [name, topic] : topics_)
        all.push_back(topic);
    return all;
}

std::size_t committed_view::topic_count() const {
    const std::shared_lock lock{mutex_};
    return topics_.size();
}

std::size_t committed_view::group_count() const {
    const std::shared_lock lock{mutex_};
    return groups_.size();
}

broker::group_ptr committed_view::find_group(std::string_view name) const {
    const std::shared_lock lock{mutex_};
    const auto found = groups_.find(name);
    return found == groups_.end() ? nullptr : found->second;
}

std::vector<broker::group_ptr> committed_view::groups() const {
    const std::shared_lock lock{mutex_};
    std::vector<broker::group_ptr> all;
    all.reserve(groups_.size());
    for (const auto& [name, group] : groups_)
        all.push_back(group);
    return all;
}

std::optional<queue_offset> committed_view::offset(std::string_view group, queue_key queue) const {
    const std::shared_lock lock{mutex_};
    const auto offsets = offsets_.find(group);
    if (offsets == offsets_.end())
        return std::nullopt;
    const auto found = offsets->second.find(queue);
    return found == offsets->second.end() ? std::nullopt : std::optional{found->second};
}

bool committed_view::has_offset_in(std::string_view group, topic_id topic) const {
    const std::shared_lock lock{mutex_};
    const auto offsets = offsets_.find(group);
    if (offsets == offsets_.end())
        return false;
    const auto at = offsets->second.lower_bound({topic, queue_number{0}});
    return at != offsets->second.end() && at->first.topic == topic;
}

std::map<std::string, std::map<queue_key, queue_offset>, std::less<>> committed_view::all_offsets() const {
    const std::shared_lock lock{mutex_};
    return offsets_;
}

std::map<queue_key, queue_offset> committed_view::offsets_of(std::string_view group) const {
    const std::shared_lock lock{mutex_};
    const auto offsets = offsets_.find(group);
    return offsets == offsets_.end() ? std::map<queue_key, queue_offset>{} : offsets->second;
}

std::optional<broker::queue_lock> committed_view::lock(std::string_view group, queue_key queue) const {
    const std::shared_lock lock{mutex_};
    return locks_.find(group, queue);
}

std::vector<std::string> committed_view::groups_with_offsets_in(topic_id topic) const {
    const std::shared_lock lock{mutex_};
    std::vector<std::string> found;
    for (const auto& [group, offsets] : offsets_) {
        const auto at = offsets.lower_bound({topic, queue_number{0}});
        if (at != offsets.end() && at->first.topic == topic)
            found.push_back(group);
    }
    return found;
}

watermarks committed_view::marks() const {
    watermarks marks;
    marks.applied = log_position{applied_.load(std::memory_order_acquire)};
    marks.committed = log_position{committed_.load(std::memory_order_relaxed)};
    marks.flushed = log_position{flushed_.load(std::memory_order_relaxed)};
    marks.appended = log_position{appended_.load(std::memory_order_relaxed)};
    marks.first = log_position{first_.load(std::memory_order_relaxed)};
    return marks;
}

} // namespace holdfast::actors
