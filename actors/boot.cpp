#include "actors/boot.hpp"

#include "broker/snapshot.hpp"
#include "storage/log_beginning.hpp"
#include "storage/log_scanner.hpp"

#include <functional>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

// While a lost store is built again, changes go into it in pieces of this size.
constexpr std::size_t rebuild_checkpoint_changes = 500'000;

storage::path as_path(const std::filesystem::path& path) {
    return storage::path{path.native()};
}

std::filesystem::path derived_directory(const config::node_config& config) {
    return config.store_path / "derived";
}

result<void> open_disk(const config::node_config& config, booted_replica& booted) {
    booted.disk = std::make_unique<storage::posix_file_system>();
    booted.files = booted.disk.get();
    if (config.faults.any()) {
        spdlog::warn("faultInjection is on: this node breaks its disk on purpose, for tests");
        storage::fault_settings faults;
        faults.fail_sync_from = config.faults.sync_fail_after ? *config.faults.sync_fail_after + 1 : 0;
        faults.fail_write_from = config.faults.write_fail_after ? *config.faults.write_fail_after + 1 : 0;
        faults.ignore_syncs = config.faults.sync_ignore;
        faults.path_contains = "commitlog";
        booted.faults = std::make_unique<storage::fault_file_system>(*booted.disk, faults);
        booted.files = booted.faults.get();
    }
    const auto root = as_path(config.store_path);
    if (auto made = booted.files->create_directories(root); !made.ok())
        return made;
    auto lock = booted.files->lock(root);
    if (!lock.ok())
        return lock.failure();
    booted.lock = std::move(*lock);
    return {};
}

result<void> load_identity(const config::node_config& config, booted_replica& booted) {
    auto loaded = storage::load_hard_state(*booted.files, hard_state_file(config));
    if (!loaded.ok())
        return loaded.failure();
    if (*loaded) {
        booted.hard_state = std::move(**loaded);
        if (booted.hard_state.cluster != config.cluster_name)
            return error{errc::invalid_argument,
                         "the data in " + config.store_path.string() + " belongs to the cluster " +
                             booted.hard_state.cluster + ", not " + config.cluster_name +
                             ": choose another storePathRootDir, or that brokerClusterName"};
        // A last life that could not make it durable may have left it to be read and yet not on the disk, and
        // what is read here will be spoken of.
        return storage::save_hard_state(*booted.files, hard_state_file(config), booted.hard_state);
    }
    booted.hard_state.id = storage::make_store_id();
    booted.hard_state.cluster = config.cluster_name;
    booted.hard_state.node_name = config.node_name;
    return storage::save_hard_state(*booted.files, hard_state_file(config), booted.hard_state);
}

result<std::unique_ptr<storage::derived_store>> open_store(const config::node_config& config,
                                                           const booted_replica& booted, bool from_scratch) {
    const auto directory = derived_directory(config);
    const auto id = storage::to_string(booted.hard_state.id);
    if (!from_scratch) {
        auto opened = storage::derived_store::open(directory, id);
        if (opened.ok() || opened.failure().code == errc::unavailable ||
            opened.failure().code == errc::io_failed)
            return opened;
        spdlog::warn("the derived store is built anew from the log: {}", opened.failure().message);
    }
    if (auto destroyed = storage::derived_store::destroy(directory); !destroyed.ok())
        return destroyed.failure();
    return storage::derived_store::open(directory, id);
}

result<void> open_log(const config::node_config& config, booted_replica& booted) {
    storage::log_options options;
    const auto recovery = recovery_options_of(config, booted);
    if (!recovery.ok())
        return recovery.failure();
    options.recovery = *recovery;
    options.cache_bytes = config.entry_cache_bytes;
    auto opened = storage::log_store::open(*booted.files, as_path(config.store_path), options);
    if (!opened.ok())
        return opened.failure();
    booted.log = std::move(*opened);
    const auto& recovered = booted.log->recovered();
    if (recovered.cut)
        spdlog::warn("cut {} bytes at the end of the log, position {}: {}{}", recovered.cut->bytes,
                     recovered.cut->position.value(), recovered.cut->reason,
                     recovered.cut->loss_accepted ? "; accepted by acceptDataLoss"
                                                  : "; they were never answered OK");
    return {};
}

// --- applying
// ---------------------------------------------------------------------------------------------------------

result<void> checkpoint(booted_replica& booted, log_position applied, log_position last_entry) {
    auto taken = booted.pending.take(booted.state, last_entry, applied);
    if (auto written = booted.store->write(std::move(taken.batch), applied); !written.ok())
        return written;
    return booted.store->flush();
}

using entry_visitor = std::function<result<void>(const storage::scanned_entry&)>;

// Every entry that begins in [first, last), fillers too.
result<void> visit_entries(booted_replica& booted, log_position first, log_position last,
                           const entry_visitor& visit) {
    storage::log_scanner scanner{booted.log->segments(), first, last};
    for (;;) {
        auto next = scanner.next();
        if (!next.ok())
            return next.failure();
        if (!next->has_value())
            return {};
        if (auto visited = visit(**next); !visited.ok())
            return visited;
    }
}

result<void> apply_entries(booted_replica& booted, log_position first, log_position last) {
    std::vector<queue_offset> offsets;
    return visit_entries(booted, first, last, [&](const storage::scanned_entry& entry) -> result<void> {
        if (booted.pending.size() >= rebuild_checkpoint_changes)
            if (auto saved = checkpoint(booted, entry.header.position, booted.last_entry); !saved.ok())
                return saved;
        booted.last_entry = entry.header.position;
        booted.state.note_term(entry.header.position, entry.header.term);
        if (entry.header.is_filler())
            return {};
        broker::state_changes changes;
        offsets.clear();
        if (auto applied = booted.state.apply(entry.bytes, entry.header.position, changes, offsets);
            !applied.ok())
            return applied;
        booted.state.collect_runs(changes);
        booted.pending.add(changes);
        return {};
    });
}

result<std::optional<broker::log_snapshot>> last_snapshot(booted_replica& booted, log_position first,
                                                          log_position last) {
    std::optional<broker::log_snapshot> found;
    auto scanned = storage::for_each_entry(
        booted.log->segments(), first, last, [&](const storage::scanned_entry& entry) -> result<void> {
            broker::command_cursor cursor{entry.bytes, storage::entry_header_size};
            while (!cursor.done()) {
                const auto command = cursor.next();
                if (!command.ok())
                    return command.failure();
                if (command->header.kind != broker::command_kind::trim)
                    continue;
                auto snapshot = broker::decode_snapshot(command->payload);
                if (!snapshot.ok())
                    return snapshot.failure();
                found = std::move(*snapshot);
            }
            return {};
        });
    if (!scanned.ok())
        return scanned.failure();
    return found;
}

result<void> apply_messages(booted_replica& booted, broker::state& to, log_position first, log_position last,
                            const std::function<void(const broker::state_changes&)>& changed) {
    return visit_entries(booted, first, last, [&](const storage::scanned_entry& entry) -> result<void> {
        booted.last_entry = entry.header.position;
        to.note_term(entry.header.position, entry.header.term);
        if (entry.header.is_filler())
            return {};
        broker::state_changes changes;
        if (auto applied = to.apply_messages(entry.bytes, entry.header.position, changes); !applied.ok())
            return applied;
        to.collect_runs(changes);
        if (changed)
            changed(changes);
        return {};
    });
}

// The log has lost its beginning, so what was in there comes from its last snapshot (broker/snapshot.hpp).
result<log_position> apply_snapshot(booted_replica& booted,
                                    const std::optional<broker::log_snapshot>& snapshot, log_position first) {
    if (!snapshot)
        return error{errc::corrupted,
                     "the log begins at " + std::to_string(first.value()) +
                         " but holds no snapshot of what was before: segments were removed by hand; "
                         "put them back"};
    const auto begin = std::max(first, snapshot->first);
    auto counted = broker::restore_snapshot(*snapshot);
    auto applied = apply_messages(booted, counted, begin, snapshot->as_of, {});
    if (!applied.ok())
        return applied.failure();
    auto restored = broker::restore_snapshot(*snapshot, counted);
    if (!restored.ok())
        return restored.failure();
    booted.state = std::move(*restored);
    broker::state_changes changes;
    for (const auto& [name, topic] : booted.state.topics())
        changes.facts.emplace_back(broker::topic_put{topic});
    for (const auto& [name, group] : booted.state.groups())
        changes.facts.emplace_back(broker::group_put{group});
    for (const auto& offset : snapshot->offsets)
        changes.facts.emplace_back(offset);
    for (const auto& [group, queues] : snapshot->locks.groups())
        for (const auto& [queue, lock] : queues)
            changes.facts.emplace_back(broker::lock_put{group, {queue, lock}});
    changes.facts.emplace_back(broker::log_trimmed{snapshot->first, snapshot->firsts});
    booted.pending.add(changes);
    applied = apply_messages(booted, booted.state, begin, snapshot->as_of,
                             [&](const broker::state_changes& runs) { booted.pending.add(runs); });
    if (applied.ok())
        applied = broker::check_against(*snapshot, booted.state);
    if (!applied.ok())
        return applied.failure();
    return snapshot->as_of;
}

// Of a log that begins above 0 and does not reach its first snapshot yet.
result<void> start_seeding(booted_replica& booted, log_position first, log_position committed) {
    spdlog::info(
        "the log begins at {} and is being fed by the group; its state can be made when it is longer",
        first.value());
    booted.start.is_seeding = true;
    booted.last_entry = first;
    for (const auto& [position, term] : booted.log->recovered().terms)
        if (position < committed)
            booted.state.note_term(position, term);
    return {};
}

// All that is known to be committed becomes state. What lies behind it in the log may yet be taken back by
// another leader; a replica alone takes it up when it leads.
result<void> catch_up(const config::node_config& config, booted_replica& booted, log_position committed) {
    const auto& recovered = booted.log->recovered();
    auto from = booted.store->applied();
    if (from == log_position{0} && recovered.first > log_position{0}) {
        auto snapshot = last_snapshot(booted, recovered.first, committed);
        if (!snapshot.ok())
            return snapshot.failure();
        if (!*snapshot && !config.peers.empty())
            return start_seeding(booted, recovered.first, committed);
        auto applied = apply_snapshot(booted, *snapshot, recovered.first);
        if (!applied.ok())
            return applied.failure();
        from = *applied;
    } else {
        auto loaded = broker::load_state(*booted.store);
        if (!loaded.ok())
            return loaded.failure();
        booted.state = std::move(*loaded);
    }
    return apply_entries(booted, from, committed);
}

// The log's tail at `position`, found by reading from `before`, the start of an entry below it.
result<broker::log_tail> tail_at(booted_replica& booted, log_position position, log_position before,
                                 std::uint64_t segment_bytes) {
    broker::log_tail tail;
    tail.next = position;
    auto read = visit_entries(booted, before, position, [&](const storage::scanned_entry& entry) {
        tail.last_checksum = entry.header.checksum;
        tail.timestamp = entry.header.timestamp;
        return result<void>{};
    });
    if (!read.ok())
        return read.failure();
    const auto& segments = booted.log->segments();
    auto around = segments.find(position);
    if (!around && position > segments.first())
        around = segments.find(position - 1);
    tail.geometry = {position, segment_bytes, segment_bytes};
    if (around)
        tail.geometry = {around->first(), around->size(), segment_bytes};
    return tail;
}

result<void> load_tail(const config::node_config& config, booted_replica& booted, log_position committed) {
    auto tail = tail_at(booted, committed, booted.last_entry, config.segment_bytes);
    if (!tail.ok())
        return tail.failure();
    booted.start.applied = *tail;
    booted.start.vote = {booted.hard_state.term, booted.hard_state.vote};
    return visit_entries(booted, committed, booted.log->recovered().end,
                         [&](const storage::scanned_entry& entry) {
                             booted.start.unapplied.push_back(shared_bytes::copy_of(entry.bytes));
                             return result<void>{};
                         });
}

// What the operator gave up may have been acknowledged, and with it a promise: this node goes on as another
// member, which the others feed before it counts again.
result<void> forget_promises(const config::node_config& config, booted_replica& booted) {
    booted.hard_state.id = storage::make_store_id();
    booted.hard_state.vote.clear();
    return storage::save_hard_state(*booted.files, hard_state_file(config), booted.hard_state);
}

} // namespace

result<void> begin_anew(const config::node_config& config, log_position first) {
    booted_replica opened;
    if (auto disk = open_disk(config, opened); !disk.ok())
        return disk;
    if (auto loaded = load_identity(config, opened); !loaded.ok())
        return loaded;
    // In this order: without its promises the node may lose the rest piece by piece.
    if (auto forgotten = forget_promises(config, opened); !forgotten.ok())
        return forgotten;
    if (auto destroyed = storage::derived_store::destroy(derived_directory(config)); !destroyed.ok())
        return destroyed;
    return storage::begin_log_at(*opened.files, as_path(config.store_path) / "commitlog", first);
}

storage::path hard_state_file(const config::node_config& config) {
    return as_path(config.store_path) / "hard_state";
}

result<booted_replica> open_directory(const config::node_config& config, derived_state derived) {
    booted_replica booted;
    if (auto opened = open_disk(config, booted); !opened.ok())
        return opened.failure();
    if (auto loaded = load_identity(config, booted); !loaded.ok())
        return loaded.failure();
    auto store = open_store(config, booted, derived == derived_state::from_scratch);
    if (!store.ok())
        return store.failure();
    booted.store = std::move(*store);
    return booted;
}

result<storage::recovery_options> recovery_options_of(const config::node_config& config,
                                                      const booted_replica& opened) {
    storage::recovery_options options;
    options.segments.segment_size = config.segment_bytes;
    const auto log_durable = broker::load_log_durable(*opened.store);
    if (!log_durable.ok())
        return log_durable.failure();
    options.durable_until = *log_durable;
    const auto last_entry = broker::load_last_entry(*opened.store);
    if (!last_entry.ok())
        return last_entry.failure();
    options.scan_from = std::min(*last_entry, *log_durable);
    options.accept_loss_at = config.accept_data_loss;
    return options;
}

result<booted_replica> boot(const config::node_config& config, derived_state derived) {
    auto directory = open_directory(config, derived);
    if (!directory.ok())
        return directory;
    auto& booted = *directory;
    if (auto opened = open_log(config, booted); !opened.ok())
        return opened.failure();
    const auto& recovered = booted.log->recovered();
    const bool lost_some = recovered.cut && recovered.cut->loss_accepted && !config.peers.empty();
    if (lost_some)
        if (auto forgotten = forget_promises(config, booted); !forgotten.ok())
            return forgotten.failure();
    const bool ahead = booted.store->applied() > recovered.end;
    const bool behind =
        booted.store->applied() < recovered.first && booted.store->applied() > log_position{0};
    if (ahead || behind || lost_some) {
        spdlog::warn("the derived store, at {}, does not fit the log, which is [{}, {}): it is built anew",
                     booted.store->applied().value(), recovered.first.value(), recovered.end.value());
        booted.store.reset();
        auto fresh = open_store(config, booted, true);
        if (!fresh.ok())
            return fresh.failure();
        booted.store = std::move(*fresh);
    }
    const auto committed =
        std::min(std::max({booted.store->applied(), recovered.committed, recovered.first}), recovered.end);
    auto last_entry = broker::load_last_entry(*booted.store);
    if (!last_entry.ok())
        return last_entry.failure();
    booted.last_entry = *last_entry;
    if (auto applied = catch_up(config, booted, committed); !applied.ok())
        return applied.failure();
    if (auto loaded = load_tail(config, booted, committed); !loaded.ok())
        return loaded.failure();
    // The read view begins with everything in the store.
    if (!booted.pending.empty())
        if (auto saved = checkpoint(booted, committed, booted.last_entry); !saved.ok())
            return saved.failure();
    return directory;
}

} // namespace holdfast::actors
