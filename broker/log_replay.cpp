#include "broker/log_replay.hpp"

#include "broker/command.hpp"
#include "broker/snapshot.hpp"
#include "storage/log_scanner.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace holdfast::broker {
namespace {

using entry_visitor = std::function<result<void>(const storage::scanned_entry&)>;

class log_replay {
  public:
    log_replay(const storage::recovered_log& log, known_state known, const replay_listener& listener)
        : log_(log),
          known_(std::move(known)),
          listener_(listener),
          committed_(std::min(std::max({known_.applied, log.committed, log.first}), log.end)) {}

    result<replayed_log> run(bool is_alone);

  private:
    result<void> visit(log_position first, log_position last, const entry_visitor& each) const;
    result<void> apply(log_position first);
    result<void> apply_messages(state& to, log_position first, log_position last, bool is_told);
    [[nodiscard]] result<std::optional<log_snapshot>> last_snapshot(log_position until) const;
    result<void> apply_snapshot(const log_snapshot& snapshot);
    void tell_facts(const log_snapshot& snapshot) const;
    void start_seeding();
    result<void> load_tail();

    void tell(const state_changes& changes) const {
        if (listener_.changed)
            listener_.changed(changes);
    }

    const storage::recovered_log& log_;
    known_state known_;
    const replay_listener& listener_;
    log_position committed_;
    replica_log start_;
};

// Every entry that begins in [first, last), fillers too.
result<void> log_replay::visit(log_position first, log_position last, const entry_visitor& each) const {
    storage::log_scanner scanner{*log_.segments, first, last};
    for (;;) {
        auto next = scanner.next();
        if (!next.ok())
            return next.failure();
        if (!next->has_value())
            return {};
        if (auto visited = each(**next); !visited.ok())
            return visited;
    }
}

result<void> log_replay::apply(log_position first) {
    std::vector<queue_offset> offsets;
    auto& current = known_.current;
    return visit(first, committed_, [&](const storage::scanned_entry& entry) -> result<void> {
        if (listener_.reached)
            if (auto saved = listener_.reached(current, entry.header.position, known_.last_entry);
                !saved.ok())
                return saved;
        known_.last_entry = entry.header.position;
        current.note_term(entry.header.position, entry.header.term);
        if (entry.header.is_filler())
            return {};
        state_changes changes;
        offsets.clear();
        if (auto applied = current.apply(entry.bytes, entry.header.position, changes, offsets); !applied.ok())
            return applied;
        current.collect_runs(changes);
        tell(changes);
        return {};
    });
}

result<void> log_replay::apply_messages(state& to, log_position first, log_position last, bool is_told) {
    return visit(first, last, [&](const storage::scanned_entry& entry) -> result<void> {
        known_.last_entry = entry.header.position;
        to.note_term(entry.header.position, entry.header.term);
        if (entry.header.is_filler())
            return {};
        state_changes changes;
        if (auto applied = to.apply_messages(entry.bytes, entry.header.position, changes); !applied.ok())
            return applied;
        to.collect_runs(changes);
        if (is_told)
            tell(changes);
        return {};
    });
}

// One that needs nothing from before the log's beginning.
result<std::optional<log_snapshot>> log_replay::last_snapshot(log_position until) const {
    std::optional<log_snapshot> found;
    auto scanned = storage::for_each_entry(*log_.segments, log_.first, until,
                                           [&](const storage::scanned_entry& entry) -> result<void> {
                                               command_cursor cursor{entry.bytes, storage::entry_header_size};
                                               while (!cursor.done()) {
                                                   const auto command = cursor.next();
                                                   if (!command.ok())
                                                       return command.failure();
                                                   if (command->header.kind != command_kind::trim)
                                                       continue;
                                                   auto snapshot = decode_snapshot(command->payload);
                                                   if (!snapshot.ok())
                                                       return snapshot.failure();
                                                   if (snapshot->first >= log_.first)
                                                       found = std::move(*snapshot);
                                               }
                                               return {};
                                           });
    if (!scanned.ok())
        return scanned.failure();
    return found;
}

result<void> log_replay::apply_snapshot(const log_snapshot& snapshot) {
    const auto begin = std::max(log_.first, snapshot.first);
    auto counted = restore_snapshot(snapshot);
    auto applied = apply_messages(counted, begin, snapshot.as_of, false);
    if (!applied.ok())
        return applied.failure();
    auto restored = restore_snapshot(snapshot, counted);
    if (!restored.ok())
        return restored.failure();
    known_.current = std::move(*restored);
    tell_facts(snapshot);
    applied = apply_messages(known_.current, begin, snapshot.as_of, true);
    if (!applied.ok())
        return applied;
    return check_against(snapshot, known_.current);
}

void log_replay::tell_facts(const log_snapshot& snapshot) const {
    state_changes changes;
    for (const auto& [name, topic] : known_.current.topics())
        changes.facts.emplace_back(topic_put{topic});
    for (const auto& [name, group] : known_.current.groups())
        changes.facts.emplace_back(group_put{group});
    for (const auto& offset : snapshot.offsets)
        changes.facts.emplace_back(offset);
    for (const auto& [group, queues] : snapshot.locks.groups())
        for (const auto& [queue, lock] : queues)
            changes.facts.emplace_back(lock_put{group, {queue, lock}});
    changes.facts.emplace_back(log_trimmed{snapshot.first, snapshot.firsts});
    // Also those queues are as long as they were whose messages are all gone.
    for (const auto& [queue, next] : snapshot.nexts)
        changes.runs.push_back({queue, known_.current.next_offset(queue), {}});
    tell(changes);
}

void log_replay::start_seeding() {
    start_.is_seeding = true;
    start_.first = log_.first;
    known_.last_entry = log_.first;
    for (const auto& [position, term] : log_.terms)
        if (position < committed_)
            known_.current.note_term(position, term);
}

// The log's tail at `committed_`, and what lies behind it.
result<void> log_replay::load_tail() {
    start_.applied.next = committed_;
    start_.applied.geometry = log_.segments->geometry_at(committed_);
    return visit(known_.last_entry, log_.end, [&](const storage::scanned_entry& entry) {
        if (entry.header.position >= committed_) {
            start_.unapplied.push_back(shared_bytes::copy_of(entry.bytes));
        } else {
            start_.applied.last_checksum = entry.header.checksum;
            start_.applied.timestamp = entry.header.timestamp;
        }
        return result<void>{};
    });
}

result<replayed_log> log_replay::run(bool is_alone) {
    auto from = known_.applied;
    if (from == log_position{0} && log_.first > log_position{0}) {
        // Who is alone commits all that is on its disk, also when nothing says so yet.
        const auto snapshot = last_snapshot(is_alone ? log_.end : committed_);
        if (!snapshot.ok())
            return snapshot.failure();
        if (*snapshot) {
            if (auto applied = apply_snapshot(**snapshot); !applied.ok())
                return applied.failure();
            from = (*snapshot)->as_of;
            committed_ = std::max(committed_, from); // or it would not have been a state
        } else if (is_alone) {
            return error{errc::corrupted,
                         "the log begins at " + std::to_string(log_.first.value()) +
                             " but holds no snapshot of what was before: segments were removed by hand; "
                             "put them back"};
        } else {
            start_seeding();
            from = committed_;
        }
    }
    if (auto applied = apply(from); !applied.ok())
        return applied.failure();
    if (auto loaded = load_tail(); !loaded.ok())
        return loaded.failure();
    return replayed_log{std::move(known_.current), known_.last_entry, std::move(start_)};
}

} // namespace

result<replayed_log> replay_log(const storage::recovered_log& log, known_state known, bool is_alone,
                                const replay_listener& listener) {
    return log_replay{log, std::move(known), listener}.run(is_alone);
}

} // namespace holdfast::broker
