#include "broker/audit_links.hpp"

#include "broker/state_store.hpp"
#include "storage/queue_index_run.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {
namespace {

constexpr std::size_t gathered_most = 256U << 10U;
constexpr const char* lost_middle =
    "the log has lost messages in its middle: keep the directory and report it "
    "as a bug";
constexpr const char* rebuild = "stop the node and run `holdfast audit --repair-derived`: it is built again "
                                "from the log";

std::string number(log_position position) {
    return std::to_string(position.value());
}

std::string number(queue_offset offset) {
    return std::to_string(offset.value());
}

std::string describe(const storage::queue_index_entry& entry) {
    return "position " + number(entry.position) + ", " + std::to_string(entry.size) + " bytes, tag hash " +
           std::to_string(entry.tags_hash) + (entry.by_reference != 0 ? ", by reference" : "");
}

} // namespace

void link_audit::complain(std::string what, std::optional<log_position> position) {
    report_.add({audit_part::derived_store, directory_, position, std::move(what), rebuild});
}

void link_audit::compare_with(const storage::derived_store& store) {
    auto loaded = load_state(store);
    const auto last_entry = load_last_entry(store);
    if (!loaded.ok() || !last_entry.ok())
        return complain("what it holds can't be read: " +
                        (loaded.ok() ? last_entry.failure() : loaded.failure()).message);
    store_ = &store;
    stored_ = std::move(*loaded);
    last_entry_ = *last_entry;
    deliveries_.emplace(directory_, store, stored_, report_);
    report_.applied = store.applied();
}

void link_audit::begin_with(log_snapshot snapshot, snapshot_age age, const storage::segment_set& segments) {
    begin_ = std::max(segments.first(), snapshot.first);
    auto counted = restore_snapshot(snapshot);
    const auto count = [&](const storage::scanned_entry& entry) {
        state_changes unused;
        auto applied = counted.apply_messages(entry.bytes, entry.header.position, unused);
        counted.collect_runs(unused);
        return applied;
    };
    // What is wrong with an entry in there is told when its turn comes.
    if (const auto passed = storage::for_each_entry(segments, begin_, snapshot.as_of, count); !passed.ok())
        return give_up("the log can't be followed up to its last snapshot");
    auto restored = restore_snapshot(snapshot, counted);
    if (!restored.ok()) {
        report_.add({audit_part::log, segments.directory().string(), snapshot.first,
                     restored.failure().message, lost_middle});
        return give_up("the log does not match its own snapshot");
    }
    state_ = std::move(*restored);
    if (age == snapshot_age::younger_than_store) {
        facts_comparable_ = false;
        report_.notes.emplace_back("topics, groups and offsets were not compared: retention took the log's "
                                   "beginning after the last checkpoint of the derived store");
    }
    snapshot_ = std::move(snapshot);
}

void link_audit::give_up(std::string why) {
    if (!given_up_ && store_ != nullptr && !compared_)
        report_.notes.push_back("the derived store was compared only in part: " + why);
    given_up_ = std::move(why);
    gathered_.clear();
    gathered_size_ = 0;
}

const state* link_audit::known() const {
    return given_up_ || snapshot_ ? nullptr : &state_;
}

void link_audit::apply(const storage::scanned_entry& entry, const std::string& file) {
    const auto position = entry.header.position;
    last_entry_seen_ = last_entry_seen_ || position == last_entry_;
    if (entry.header.is_filler() || given_up_ || position < begin_)
        return;
    if (store_ != nullptr && !compared_ && position >= store_->applied())
        compare_now();
    if (snapshot_ && position >= snapshot_->as_of)
        pass_snapshot();
    if (!given_up_)
        apply_all(entry, file);
}

void link_audit::apply_all(const storage::scanned_entry& entry, const std::string& file) {
    state_changes changes;
    std::vector<queue_offset> offsets;
    const auto applied = snapshot_ ? state_.apply_messages(entry.bytes, entry.header.position, changes)
                                   : state_.apply(entry.bytes, entry.header.position, changes, offsets);
    if (!applied.ok()) {
        report_.add(
            {audit_part::log, file, entry.header.position,
             "the entry can't be applied: " + applied.failure().message,
             "its checksum holds, so it was written like this: keep the file and report it as a bug"});
        return give_up("an entry of the log can't be applied");
    }
    applied_until_ = entry.header.end();
    state_.collect_runs(changes);
    gather(changes);
}

// What the entries between the snapshot's `first` and its `as_of` added up to is what the snapshot said.
void link_audit::pass_snapshot() {
    const auto checked = check_against(*snapshot_, state_);
    snapshot_.reset();
    if (checked.ok())
        return;
    report_.add(
        {audit_part::log, directory_, state_.first_position(), checked.failure().message, lost_middle});
    give_up("the log does not match its own snapshot");
}

void link_audit::gather(const state_changes& changes) {
    if (store_ == nullptr || compared_)
        return;
    for (const auto& run : changes.runs) {
        auto& gathered = gathered_.try_emplace(run.queue, queue_run{run.queue, run.first, {}}).first->second;
        gathered.entries.insert(gathered.entries.end(), run.entries.begin(), run.entries.end());
        gathered_size_ += run.entries.size();
    }
    deliveries_->add(changes);
    if (gathered_size_ >= gathered_most)
        compare_gathered();
}

void link_audit::compare_gathered() {
    for (const auto& [queue, run] : gathered_)
        if (stored_.find_topic(queue.topic)) // deleted by the time of the checkpoint
            compare_run(run);
    gathered_.clear();
    gathered_size_ = 0;
}

void link_audit::compare_run(const queue_run& run) {
    const auto end = run.first + static_cast<std::int64_t>(run.entries.size());
    // What retention has taken from the store is no loss, and a length that differs is told once, at the end.
    const auto first = std::max(run.first, stored_.first_offset(run.queue));
    const auto last = std::min(end, stored_.next_offset(run.queue));
    if (first >= last)
        return;
    const auto stored =
        storage::read_queue_index(*store_, run.queue, first, static_cast<std::size_t>(last - first));
    if (!stored.ok())
        return complain("the index of " + name_of(run.queue) + " can't be read: " + stored.failure().message);
    std::size_t wrong = 0;
    std::string what;
    for (auto offset = first; offset < last; ++offset) {
        const auto& expected = run.entries[static_cast<std::size_t>(offset - run.first)];
        const auto at = static_cast<std::size_t>(offset - first);
        const bool present = at < stored->size();
        if (present && (*stored)[at] == expected)
            continue;
        if (wrong++ == 0)
            what = name_of(run.queue) + ", offset " + number(offset) + ": the log has " + describe(expected) +
                   "; the index " + (present ? "says " + describe((*stored)[at]) : "has nothing");
    }
    report_.index_entries += static_cast<std::uint64_t>(last - first);
    if (wrong > 1)
        what += "; and " + std::to_string(wrong - 1) + " more behind it";
    if (wrong > 0)
        complain(std::move(what), run.entries[static_cast<std::size_t>(first - run.first)].position);
}

void link_audit::compare_now() {
    if (applied_until_ > store_->applied())
        return give_up_on_store();
    compare_gathered();
    compared_ = true;
    report_.store_compared = true;
    if (facts_comparable_) {
        compare_facts();
        compare_offsets();
        compare_locks();
        compare_queues();
        deliveries_->compare(state_);
    }
    compare_stored_runs();
}

void link_audit::give_up_on_store() {
    complain("it says that it has everything up to " + number(store_->applied()) +
                 ", which lies inside an entry",
             store_->applied());
    compared_ = true;
    gathered_.clear();
}

void link_audit::compare_facts() {
    const auto compare = [this](const char* sort, const auto& expected, const auto& stored) {
        for (const auto& [name, config] : expected) {
            const auto found = stored.find(name);
            if (found == stored.end())
                complain(std::string{"the "} + sort + " " + name + " is missing");
            else if (!(*found->second == *config))
                complain(std::string{"the settings of the "} + sort + " " + name +
                         " are not those of the log");
        }
        for (const auto& [name, config] : stored)
            if (!expected.contains(name))
                complain(std::string{"there is a "} + sort + " " + name + " that the log does not have");
    };
    compare("topic", state_.topics(), stored_.topics());
    compare("group", state_.groups(), stored_.groups());
    report_.topics = stored_.topics().size();
    report_.groups = stored_.groups().size();
    if (state_.next_topic_id() != stored_.next_topic_id())
        complain("the next topic's id is " + std::to_string(stored_.next_topic_id().value()) +
                 ", by the log " + std::to_string(state_.next_topic_id().value()));
    if (state_.first_position() != stored_.first_position())
        complain("the log's beginning is noted as " + number(stored_.first_position()) +
                 ", by the log it is " + number(state_.first_position()));
}

void link_audit::compare_offsets() {
    std::map<std::pair<std::string, queue_key>, std::pair<queue_offset, queue_offset>> offsets;
    constexpr queue_offset none{-1};
    for (const auto& [group, queues] : state_.offsets())
        for (const auto& [queue, next] : queues)
            offsets[{group, queue}] = {next, none};
    for (const auto& [group, queues] : stored_.offsets())
        for (const auto& [queue, next] : queues) {
            offsets.try_emplace({group, queue}, none, none).first->second.second = next;
            ++report_.offsets;
        }
    for (const auto& [where, both] : offsets)
        if (both.first != both.second)
            complain("the group " + where.first + " stands at " + number(both.second) + " in " +
                     name_of(where.second) + ", by the log at " + number(both.first));
}

void link_audit::compare_locks() {
    const auto missing_from = [this](const queue_locks& one, const queue_locks& other, const char* which) {
        for (const auto& [group, queues] : one.groups())
            for (const auto& [queue, lock] : queues)
                if (other.find(group, queue) != lock)
                    complain("the lock of the group " + group + " on " + name_of(queue) + which);
    };
    missing_from(state_.locks(), stored_.locks(), " is not that of the log");
    if (report_.clean()) // else it is told already
        missing_from(stored_.locks(), state_.locks(), " is not in the log");
}

void link_audit::compare_queues() {
    std::map<queue_key, int> queues;
    for (const auto* one : {&state_, &stored_})
        for (const auto& [queue, next] : one->queue_lengths())
            queues[queue];
    for (const auto& [queue, unused] : queues) {
        if (state_.next_offset(queue) != stored_.next_offset(queue))
            complain(name_of(queue) + " ends at offset " + number(stored_.next_offset(queue)) +
                     ", by the log at " + number(state_.next_offset(queue)));
        if (state_.first_offset(queue) != stored_.first_offset(queue))
            complain(name_of(queue) + " begins at offset " + number(stored_.first_offset(queue)) +
                     ", by the log at " + number(state_.first_offset(queue)));
    }
    report_.queues = queues.size();
}

// Runs that no message of the log led to.
void link_audit::compare_stored_runs() {
    std::optional<storage::parsed_run_key> previous;
    queue_offset previous_last;
    const std::string first = "q";
    const auto visit = [&](std::string_view key, std::string_view value) {
        const auto run = storage::parse_queue_run_key(key);
        const auto entries = storage::decode_queue_run(value);
        if (!run || !entries.ok()) {
            complain("it holds a piece of a queue's index that does not follow its format");
            return true;
        }
        const auto last = run->first + static_cast<std::int64_t>(entries->size());
        if (!stored_.find_topic(run->queue.topic))
            complain("it holds an index of topic id " + std::to_string(run->queue.topic.value()) +
                     ", which does not exist");
        else if (last > stored_.next_offset(run->queue))
            complain(name_of(run->queue) + ": the index reaches to offset " + number(last) +
                     ", behind the queue's end at " + number(stored_.next_offset(run->queue)));
        else if (previous && previous->queue == run->queue && run->first < previous_last)
            complain(name_of(run->queue) + ": two pieces of the index both hold offset " +
                     number(run->first));
        previous = run;
        previous_last = last;
        return true;
    };
    if (const auto scanned = store_->scan(first, storage::behind_prefix(first), visit); !scanned.ok())
        complain("its index can't be read: " + scanned.failure().message);
}

void link_audit::finish(log_position end) {
    if (store_ == nullptr || given_up_)
        return;
    if (store_->applied() > end)
        return complain("it is ahead of the log: it has everything up to " + number(store_->applied()) +
                            ", the log ends at " + number(end),
                        end);
    if (!compared_) {
        if (snapshot_)
            pass_snapshot();
        if (!given_up_)
            compare_now();
    }
    if (store_->applied() > log_position{0} && last_entry_ >= report_.first && !last_entry_seen_)
        complain("it names position " + number(last_entry_) + " as its last entry, where none begins",
                 last_entry_);
}

std::string link_audit::name_of(queue_key queue) const {
    auto topic = stored_.find_topic(queue.topic);
    if (!topic)
        topic = state_.find_topic(queue.topic);
    return (topic ? "topic " + topic->name : "topic id " + std::to_string(queue.topic.value())) + ", queue " +
           std::to_string(queue.queue.value());
}

} // namespace holdfast::broker
