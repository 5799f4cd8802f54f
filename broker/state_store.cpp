#include "broker/state_store.hpp"

#include "broker/field_codec.hpp"
#include "broker/members.hpp"

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
constexpr std::string_view delay_key_name = "mdelay";
constexpr std::string_view first_position_key = "mfirst_position";
constexpr std::string_view members_key = "mmembers";
constexpr std::string_view term_runs_key = "mterm_runs";
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

// What a group has in queues: its offsets ('o'), its locks ('l').
std::string group_prefix(char prefix, std::string_view group) {
    auto key = named_key(prefix, group);
    key.push_back('\0');
    return key;
}

std::string group_queue_key(char prefix, std::string_view group, queue_key queue) {
    auto key = group_prefix(prefix, group);
    append_queue(key, queue);
    return key;
}

struct group_queue {
    std::string_view group;
    queue_key queue;
};

std::string half_key(log_position position) {
    std::string key(1, 'h');
    storage::append_big(key, position.value());
    return key;
}

std::string block_key(std::uint64_t block) {
    std::string key(1, 'r');
    storage::append_big(key, block);
    return key;
}

std::string encode_half(const half_message& half) {
    return field_writer{}
        .put(half.queue.topic.value())
        .put(half.queue.queue.value())
        .put(half.size)
        .put(half.tags)
        .put(half.stored.value())
        .put(half.immunity_ms)
        .put(half.checks)
        .put(half.last_checked.value())
        .put(half.topic_bytes)
        .put_text(*half.group)
        .take();
}

std::string_view decode_half_into(field_reader& in, half_message& half) {
    half.queue.topic = topic_id{in.take<std::uint32_t>()};
    half.queue.queue = queue_number{in.take<std::uint32_t>()};
    half.size = in.take<std::uint32_t>();
    half.tags = in.take<std::int32_t>();
    half.stored = timestamp_ms{in.take<std::int64_t>()};
    half.immunity_ms = in.take<std::int32_t>();
    half.checks = in.take<std::uint16_t>();
    half.last_checked = timestamp_ms{in.take<std::int64_t>()};
    half.topic_bytes = in.take<std::uint8_t>();
    return in.take_text();
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

group_queue parse_group_queue(std::string_view key) {
    const auto end_of_name = key.find('\0');
    return {key.substr(1, end_of_name - 1), parse_queue(key.substr(end_of_name + 1))};
}

log_position parse_position(std::string_view key) {
    return log_position{load_big<std::uint64_t>(as_bytes(key).data() + 1)};
}

delay_progress decode_progress(std::string_view value) {
    field_reader in{as_bytes(value)};
    delay_progress progress;
    progress.version = in.take<std::uint64_t>();
    progress.cursor.due = timestamp_ms{in.take<std::int64_t>()};
    progress.cursor.position = log_position{in.take<std::uint64_t>()};
    return progress;
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
    add_deliveries(changes);
}

void checkpoint_builder::add_deliveries(const state_changes& changes) {
    size_ += changes.halves.size() + changes.delayed.size() + changes.settled.size();
    for (const auto& half : changes.halves)
        if (half.checks > 0)
            touched_halves_.insert(half.position);
        else if (!first_new_half_)
            first_new_half_ = half.position;
    for (const auto position : changes.halves_settled)
        if (!first_new_half_ || position < *first_new_half_)
            touched_halves_.insert(position);
    for (const auto& message : changes.delayed)
        delayed_.emplace_hint(delayed_.end(), message.key, message);
    for (const auto& cancelled : changes.cancelled)
        for (const auto& key : cancelled.keys)
            if (delayed_.erase(key) == 0)
                batch_.remove(storage::delay_store_key(key));
    settled_.insert(settled_.end(), changes.settled.begin(), changes.settled.end());
    blocks_.insert(changes.blocks.begin(), changes.blocks.end());
    if (changes.delay) {
        delay_moved_ = true;
        delayed_.erase(delayed_.begin(), delayed_.upper_bound(changes.delay->cursor));
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
            for (const char prefix : {'o', 'l'}) {
                const auto keys = group_prefix(prefix, deleted.name);
                batch.remove_range(keys, storage::behind_prefix(keys));
            }
        }
        void operator()(const offset_commit& commit) const {
            batch.put(group_queue_key('o', commit.group, commit.queue), number(commit.next.value()));
        }
        void operator()(const lock_put& put) const {
            batch.put(group_queue_key('l', put.group, put.change.queue),
                      number(put.change.lock.epoch) + put.change.lock.owner);
        }
        void operator()(const log_trimmed& trimmed) const {
            batch.put(first_position_key, number(trimmed.first.value()));
            storage::forget_settled_below(batch, trimmed.first);
            batch.remove_range(block_key(0),
                               block_key(trimmed.first.value() >> reference_ledger::block_bits));
            for (const auto& [queue, first] : trimmed.firsts)
                self.forget_below(queue, first);
        }
    };
    std::visit(visitor{*this, batch_}, change);
}

// Offsets and locks of groups in a deleted topic stay behind as keys that load_state passes over: its id
// never comes back.
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

void checkpoint_builder::put_halves(const transaction_table& undecided) {
    for (const auto position : touched_halves_)
        if (const auto* const half = undecided.find(position))
            batch_.put(half_key(position), encode_half(*half));
        else
            batch_.remove(half_key(position));
    if (first_new_half_)
        undecided.walk(*first_new_half_, [&](const half_message& half) {
            batch_.put(half_key(half.position), encode_half(half));
            return true;
        });
    touched_halves_.clear();
    first_new_half_.reset();
}

void checkpoint_builder::put_deliveries(const state& current, log_position last_entry) {
    // Delivered ones go as one range, however many they are.
    if (delay_moved_)
        batch_.remove_range(
            storage::delay_store_key({timestamp_ms{0}, log_position{0}}),
            storage::delay_store_key({current.delay().cursor.due, current.delay().cursor.position + 1}));
    for (const auto& [key, message] : delayed_)
        batch_.put(storage::delay_store_key(key), storage::encode_delay_value(message));
    put_halves(current.halves());
    storage::put_settled(batch_, settled_, last_entry);
    const auto& blocks = current.ledger().blocks();
    for (const auto block : blocks_)
        if (const auto found = blocks.find(block); found != blocks.end())
            batch_.put(block_key(block), field_writer{}
                                             .put(found->second.pending)
                                             .put(found->second.referenced_at.value())
                                             .put(found->second.referenced_at_time.value())
                                             .take());
    const auto& delay = current.delay();
    batch_.put(delay_key_name, field_writer{}
                                   .put(delay.version)
                                   .put(delay.cursor.due.value())
                                   .put(delay.cursor.position.value())
                                   .take());
    delayed_.clear();
    blocks_.clear();
    delay_moved_ = false;
}

checkpoint_builder::checkpoint checkpoint_builder::take(const state& current, log_position last_entry,
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
    put_deliveries(current, last_entry);
    taken.settled = std::exchange(settled_, {});
    batch_.put(next_topic_key, number(current.next_topic_id().value()));
    batch_.put(members_key, encode(current.members()));
    batch_.put(term_runs_key, encode_runs(current.runs()));
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
        const auto [group, queue] = parse_group_queue(key);
        if (loaded.find_topic(queue.topic) != nullptr)
            loaded.restore_offset({std::string{group}, queue, queue_offset{as_number<std::int64_t>(value)}});
        return true;
    });
    scan('l', [&](std::string_view key, std::string_view value) {
        const auto [group, queue] = parse_group_queue(key);
        const auto epoch = as_number<std::uint64_t>(value);
        if (loaded.find_topic(queue.topic) != nullptr)
            loaded.restore_lock(group, {queue, {std::string{value.substr(sizeof epoch)}, epoch}});
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
        else if (key == delay_key_name)
            loaded.restore_delay(decode_progress(value));
        else if (key == term_runs_key)
            loaded.restore_runs(decode_runs(as_bytes(value)));
        else if (key == members_key) {
            auto members = decode_members(as_bytes(value));
            if (!members.ok()) {
                bad_record = members.failure();
                bad = true;
                return false;
            }
            loaded.restore_members(std::move(*members));
        }
        return true;
    });
    scan('h', [&](std::string_view key, std::string_view value) {
        field_reader in{as_bytes(value)};
        half_message half;
        half.position = parse_position(key);
        const auto group = decode_half_into(in, half);
        loaded.restore_half(half, group);
        return true;
    });
    scan('r', [&](std::string_view key, std::string_view value) {
        field_reader in{as_bytes(value)};
        reference_ledger::block_use use;
        use.pending = in.take<std::uint32_t>();
        use.referenced_at = log_position{in.take<std::uint64_t>()};
        use.referenced_at_time = timestamp_ms{in.take<std::int64_t>()};
        loaded.restore_block(parse_position(key).value(), use);
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

// What no checkpoint has taken yet is younger than any segment that retention removes.
result<queue_offset> first_kept(const storage::derived_store& store, queue_key queue,
                                storage::queue_bounds bounds, reference_ledger::limit limit) {
    const auto last_reference = std::max(limit.first, limit.references);
    auto kept = bounds.first;
    for (auto next = bounds.first; next < bounds.last;) {
        const auto run = storage::find_run(store, queue, next);
        if (!run.ok())
            return run.failure();
        if (!*run)
            break;
        for (const auto& entry : (*run)->entries) {
            const auto offset = (*run)->first + (&entry - (*run)->entries.data());
            if (!entry.by_reference && entry.position >= last_reference)
                return kept;
            if (entry.position < limit.first)
                kept = std::max(kept, offset + 1);
        }
        next = (*run)->last();
    }
    return kept;
}

} // namespace holdfast::broker
