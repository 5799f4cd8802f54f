// From a data directory to a replica that can lead: everything a start does before the first actor runs.
//
// Takes the directory's lock, recovers the log (durable up to its end when this returns), opens the derived
// store and applies to it what the log has beyond its last checkpoint, as far as that is known to be
// committed. A derived store that is lost, damaged
// or another log's is built again from the log.
#pragma once

#include "broker/replica.hpp"
#include "broker/state_store.hpp"
#include "config/node_config.hpp"
#include "storage/derived_store.hpp"
#include "storage/fault_file_system.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_store.hpp"
#include "storage/posix_file_system.hpp"

#include <memory>

namespace holdfast::actors {

// Members are destroyed from the last to the first: the lock goes last.
struct booted_replica {
    std::unique_ptr<storage::posix_file_system> disk;
    std::unique_ptr<storage::fault_file_system> faults; // only when the config injects some
    storage::file_system* files = nullptr;              // the one to use
    std::unique_ptr<storage::directory_lock> lock;
    storage::hard_state hard_state;
    std::unique_ptr<storage::log_store> log;
    std::unique_ptr<storage::derived_store> store;
    broker::state state;                // of what is known to be committed, as is the store
    broker::checkpoint_builder pending; // used on the way there; empty afterwards
    log_position last_entry;            // start of the last one in there; 0 when the log is empty
    broker::replica_log start;          // the log from there on
};

enum class derived_state : std::uint8_t {
    kept,         // what fits the log is used
    from_scratch, // thrown away under the directory's lock and built again
};

// Errors are words for the operator: which file, what is wrong, what to do.
result<booted_replica> boot(const config::node_config& config, derived_state derived = derived_state::kept);

// The first part of it: disk, lock, hard_state and store are set; the log has not been looked at.
result<booted_replica> open_directory(const config::node_config& config,
                                      derived_state derived = derived_state::kept);
// What `opened` knows of its log.
result<storage::recovery_options> recovery_options_of(const config::node_config& config,
                                                      const booted_replica& opened);

// The data directory of a member of a group that has lost touch with its log becomes one with an empty log
// that begins at `first`, under another incarnation. A crash in between leaves an older log or an empty one,
// and no promise that it can't keep.
result<void> begin_anew(const config::node_config& config, log_position first);

[[nodiscard]] storage::path hard_state_file(const config::node_config& config);

} // namespace holdfast::actors
