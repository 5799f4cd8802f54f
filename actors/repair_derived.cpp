#include "actors/repair_derived.hpp"

#include "actors/boot.hpp"
#include "broker/record_keys.hpp"
#include "storage/key_index.hpp"
#include "storage/log_scanner.hpp"

#include <utility>
#include <vector>

namespace holdfast::actors {
namespace {

constexpr std::size_t bulk_size = 128U << 10U;

// The settings that the directory was made with, as far as a start depends on them.
result<config::node_config> settings_of(const std::filesystem::path& directory) {
    config::node_config settings;
    settings.store_path = directory;
    storage::posix_file_system files;
    const auto state = storage::load_hard_state(files, hard_state_file(settings));
    if (!state.ok())
        return state.failure();
    if (!*state)
        return error{errc::not_found,
                     directory.string() + " is not a node's data directory: it has no hard_state"};
    settings.cluster_name = (*state)->cluster;
    settings.node_name = (*state)->node_name;
    const auto segments =
        storage::segment_set::open_read_only(files, storage::path{(directory / "commitlog").native()});
    if (!segments.ok())
        return segments.failure();
    if (const auto all = (*segments)->list(); !all.empty())
        settings.segment_bytes = align_up(all.back()->size(), storage::block_size);
    return settings;
}

result<void> rebuild_keys(const std::filesystem::path& directory, booted_replica& booted) {
    if (auto destroyed = storage::key_index::destroy(directory); !destroyed.ok())
        return destroyed;
    auto index = storage::key_index::open(directory, storage::to_string(booted.hard_state.id));
    if (!index.ok())
        return index.failure();
    const auto& recovered = booted.log->recovered();
    std::vector<storage::key_entry> bulk;
    const auto visit = [&](const storage::scanned_entry& entry) -> result<void> {
        if (bulk.size() >= bulk_size) {
            if (auto added = (*index)->add(bulk, entry.header.position); !added.ok())
                return added;
            bulk.clear();
        }
        return broker::append_keys(entry.bytes, entry.header.position, bulk);
    };
    if (auto scanned = storage::for_each_entry(booted.log->segments(), recovered.first, recovered.end, visit);
        !scanned.ok())
        return scanned;
    return (*index)->add(bulk, recovered.end);
}

} // namespace

result<void> repair_derived(const std::filesystem::path& directory) {
    const auto settings = settings_of(directory);
    if (!settings.ok())
        return settings.failure();
    auto booted = boot(*settings, derived_state::from_scratch);
    if (!booted.ok())
        return booted.failure();
    return rebuild_keys(directory / "keys", *booted);
}

} // namespace holdfast::actors
