#include "broker/state_store.hpp"

#include "broker/field_codec.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

namespace holdfast::broker {
namespace {

// A run of one checkpoint is cut here, so that reading a few messages of an old queue does not load
// megabytes.
constexpr std::size_t longest_run = 1024;

constexpr std::string_view next_topic_key = "mnext_topic";
constexpr std::string_view first_position_key = "mfirst_position";
constexpr std::string_view last_entry_key = "mlast_entry";
constexpr std::string_view log_durable_key = "mlog_durable";

std::string named_key(char prefix, std::string_view name) {
    return std::string(1, prefix).append(name);
}

void append_queue(std::string& key, queue_key queue) {
    storage::append_big(key, queue.topic.value());
    storage::append_big(key, queue.queue.value());
}

std::string queue_key_of(char prefix, queue_key queue) {
    std::string key(1, prefix);
    append_queue(key, queue);
    return key;
}

std::string group_offsets_prefix(std::string_view group) {
    auto key = named_key('o', group);
    key.push_back('\0');
    return key;
}

std::string offset_key(std::string_view group, queue_key queue) {
    auto key = group_offsets_prefix(group);
    append_queue(key, queue);
    return key;
}

template <class T>
std::string number(T value) {
    return field_writer{}.put(value).take();
}

template <class T>
T as_number(std::string_view value) {
    return field_reader{as_bytes(value)}.take<T>();
}

queue_key parse_queue(std::string_view eight_bytes) {
    return {topic_id{load_big<std::uint32_t>(as_bytes(eight_bytes).data())},
            queue_number{load_big<std::uint32_t>(as_bytes(eight_bytes).data() + 4)}};
}

} // namespace

void checkpoint_builder::add(const state_changes& changes) {
    for (const auto& change : changes.facts)
        add(change);
    for (const auto& run : changes.runs) {
        size_ += run.entries.size();
        auto& gathered = runs_.try_emplace(run.queue, queue_run{run.queue, run.first, {}}).first->second;
        HOLDFAST_CHECK(gathered.first + static_cast<std::int64_t>(gathered.entries.size()) == run.first);
        gathered.entries.insert(gathered.entries.end(), run.entries.begin(), run.entries.end());
    }
}

void checkpoint_builder::add(const fact& change) {
    ++size_;
    struct visitor {
        checkpoint_builder& self;
        storage::derived_batch& batch;

        void operator()(const topic_put& put) const {
            batch.put(named_key('t', put.topic->name), encode(*put.topic));
        }
        void operator()(const topic_deleted& deleted) const {
            batch.remove(named_key('t', deleted.topic->name));
            self.forget_topic(deleted.topic->id);
        }
        void operator()(const group_put& put) const {
            batch.put(named_key('g', put.group->name), encode(*put.group));
        }
        void operator()(const group_deleted& deleted) const {
            batch.remove(named_key('g', deleted.name));
            const auto prefix = group_offsets_prefix(deleted.name);
            batch.remove_range(prefix, storage::behind_prefix(prefix));
        }
        void operator()(const offset_commit& commit) const {
            batch.put(offset_key(commit.group, commit.queue), number(commit.next.value()));
        }
        void operator()(const log_trimmed& trimmed) const {
            batch.put(first_position_key, number(trimmed.first.value()));
            for (const auto& [queue, first] : trimmed.firsts)
                self.forget_below(queue, first);
        }
    };
    std::visit(visitor{*this, batch_}, change);
}

// Offsets of groups in a deleted topic stay behind as keys that load_state passes over: its id never comes
// back.
void checkpoint_builder::forget_topic(topic_id topic) {
    std::erase_if(runs_, [&](const auto& run) { return run.first.topic == topic; });
    const auto runs = storage::queue_run_prefix(topic);
    batch_.remove_range(runs, storage::behind_prefix(runs));
    for (const char prefix : {'n', 'f'}) {
        std::string keys(1, prefix);
        storage::append_big(keys, topic.value());
        batch_.remove_range(keys, storage::behind_prefix(keys));
    }
}

// No run is longer than longest_run, so one that begins so far below `first` holds nothing that is kept.
void checkpoint_builder::forget_below(queue_key queue, queue_offset first) {
    batch_.put(queue_key_of('f', queue), number(first.value()));
    if (first > queue_offset{longest_run})
        batch_.remove_range(storage::queue_run_key(queue, queue_offset{0}),
                            storage::queue_run_key(queue, first - static_cast<std::int64_t>(longest_run)));
}

checkpoint_builder::checkpoint checkpoint_builder::take(topic_id next_topic, log_position last_entry,
                                                        log_position log_durable) {
    checkpoint taken;
    taken.covered.reserve(runs_.size());
    for (const auto& [queue, run] : runs_) {
        const std::span<const storage::queue_index_entry> entries{run.entries};
        for (std::size_t first = 0; first < entries.size(); first += longest_run) {
            const auto part = entries.subspan(first, std::min(longest_run, entries.size() - first));
            batch_.put(storage::queue_run_key(queue, run.first + static_cast<std::int64_t>(first)),
                       storage::encode_queue_run(part));
        }
        const auto next = run.first + static_cast<std::int64_t>(entries.size());
        batch_.put(queue_key_of('n', queue), number(next.value()));
        taken.covered.emplace_back(queue, next);
    }
    batch_.put(next_topic_key, number(next_topic.value()));
    batch_.put(last_entry_key, number(last_entry.value()));
    batch_.put(log_durable_key, number(log_durable.value()));
    runs_.clear();
    size_ = 0;
    taken.batch = std::exchange(batch_, storage::derived_batch{});
    return taken;
}

result<state> load_state(const storage::derived_store& store) {
    state loaded;
    result<void> failed;
    const auto scan = [&](char prefix, const storage::derived_store::visitor& visit) {
        if (failed.ok())
            failed = store.scan(std::string(1, prefix), std::string(1, static_cast<char>(prefix + 1)), visit);
    };
    error bad_record;
    bool bad = false;
    scan('t', [&](std::string_view, std::string_view value) {
        auto topic = decode_topic_config(as_bytes(value));
        if (topic.ok())
            loaded.restore_topic(std::move(*topic));
        else
            bad_record = topic.failure();
        bad = !topic.ok();
        return !bad;
    });
    scan('g', [&](std::string_view, std::string_view value) {
        auto group = decode_group_config(as_bytes(value));
        if (group.ok())
            loaded.restore_group(std::move(*group));
        else
            bad_record = group.failure();
        bad = bad || !group.ok();
        return group.ok();
    });
    scan('o', [&](std::string_view key, std::string_view value) {
        const auto end_of_name = key.find('\0');
        const auto queue = parse_queue(key.substr(end_of_name + 1));
        if (loaded.find_topic(queue.topic) != nullptr)
            loaded.restore_offset({std::string{key.substr(1, end_of_name - 1)}, queue,
                                   queue_offset{as_number<std::int64_t>(value)}});
        return true;
    });
    std::unordered_map<queue_key, queue_offset> firsts;
    scan('f', [&](std::string_view key, std::string_view value) {
        firsts[parse_queue(key.substr(1))] = queue_offset{as_number<std::int64_t>(value)};
        return true;
    });
    scan('n', [&](std::string_view key, std::string_view value) {
        const auto queue = parse_queue(key.substr(1));
        const auto first = firsts.find(queue);
        loaded.restore_queue(queue, first == firsts.end() ? queue_offset{0} : first->second,
                             queue_offset{as_number<std::int64_t>(value)});
        return true;
    });
    scan('m', [&](std::string_view key, std::string_view value) {
        if (key == next_topic_key)
            loaded.restore_next_topic_id(topic_id{as_number<std::uint32_t>(value)});
        else if (key == first_position_key)
            loaded.restore_first_position(log_position{as_number<std::uint64_t>(value)});
        return true;
    });
    if (!failed.ok())
        return failed.failure();
    if (bad)
        return bad_record;
    return loaded;
}

namespace {

result<log_position> load_position(const storage::derived_store& store, std::string_view key) {
    const auto found = store.find(key);
    if (!found.ok())
        return found.failure();
    return log_position{*found ? as_number<std::uint64_t>(**found) : 0};
}

} // namespace

result<log_position> load_last_entry(const storage::derived_store& store) {
    return load_position(store, last_entry_key);
}

result<log_position> load_log_durable(const storage::derived_store& store) {
    return load_position(store, log_durable_key);
}

result<queue_offset> first_kept(const storage::derived_store& store, queue_key queue,
                                storage::queue_bounds bounds, log_position first) {
    auto kept = bounds.first;
    while (kept < bounds.last) {
        const auto run = storage::find_run(store, queue, kept);
        if (!run.ok())
            return run.failure();
        // What no checkpoint has taken yet is younger than any segment that retention removes.
        if (!*run)
            break;
        const auto& entries = (*run)->entries;
        const auto at = std::partition_point(entries.begin(), entries.end(),
                                             [&](const auto& entry) { return entry.position < first; });
        kept = std::max(kept, (*run)->first + (at - entries.begin()));
        if (at != entries.end())
            break;
    }
    return kept;
}

} // namespace holdfast::broker
