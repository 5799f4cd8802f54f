#include "actors/boot.hpp"

#include "broker/log_replay.hpp"
#include "storage/log_beginning.hpp"

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

result<void> checkpoint(booted_replica& booted, const broker::state& current, log_position applied,
                        log_position last_entry) {
    auto taken = booted.pending.take(current, last_entry, applied);
    if (auto written = booted.store->write(std::move(taken.batch), applied); !written.ok())
        return written;
    return booted.store->flush();
}

// All that is known to be committed becomes state, and the log's tail is loaded.
result<void> catch_up(const config::node_config& config, booted_replica& booted) {
    broker::known_state known;
    known.applied = booted.store->applied();
    if (known.applied > log_position{0}) {
        auto loaded = broker::load_state(*booted.store);
        if (!loaded.ok())
            return loaded.failure();
        known.current = std::move(*loaded);
        const auto last_entry = broker::load_last_entry(*booted.store);
        if (!last_entry.ok())
            return last_entry.failure();
        known.last_entry = *last_entry;
    }
    broker::replay_listener listener;
    listener.changed = [&](const broker::state_changes& changes) { booted.pending.add(changes); };
    listener.reached = [&](const broker::state& current, log_position applied,
                           log_position last_entry) -> result<void> {
        if (booted.pending.size() < rebuild_checkpoint_changes)
            return {};
        return checkpoint(booted, current, applied, last_entry);
    };
    const auto& recovered = booted.log->recovered();
    auto replayed = broker::replay_log(recovered, std::move(known), config.peers.empty(), listener);
    if (!replayed.ok())
        return replayed.failure();
    booted.state = std::move(replayed->current);
    booted.last_entry = replayed->last_entry;
    booted.start = std::move(replayed->start);
    booted.start.vote = {booted.hard_state.term, booted.hard_state.vote};
    if (booted.start.is_seeding)
        spdlog::info(
            "the log begins at {} and is being fed by the group; its state can be made when it is longer",
            recovered.first.value());
    return {};
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
    if (auto applied = catch_up(config, booted); !applied.ok())
        return applied.failure();
    // The read view begins with everything in the store.
    if (!booted.pending.empty())
        if (auto saved = checkpoint(booted, booted.state, booted.start.applied.next, booted.last_entry);
            !saved.ok())
            return saved.failure();
    return directory;
}

} // namespace holdfast::actors
