// From a recovered log to what a replica starts with.
//
// All that is known to be committed becomes state, on top of what a derived store still holds of it. What
// lies behind it in the log may yet be taken back by another leader: it is handed to the replica as it is. Of
// a log that has lost its beginning to retention, the state of what was before comes from the last snapshot
// in it (snapshot.hpp); while a new member of a group is being fed such a log and does not have the snapshot
// yet, it has no state (replica_log::is_seeding).
//
// Reads the log from the last entry applied on, or all of it. Plain and deterministic: start-up and the
// simulation share it.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/replica.hpp"
#include "broker/state.hpp"
#include "storage/recovery.hpp"

#include <functional>

namespace holdfast::broker {

// What a derived store holds; nothing of it, when it was lost or does not fit the log.
struct known_state {
    state current;
    log_position applied;
    log_position last_entry; // the start of the last one applied; 0 = none
};

// For whoever keeps a derived store. Both may be empty.
struct replay_listener {
    // In log order.
    std::function<void(const state_changes& changes)> changed;
    // All that lies below `applied` is in `current`, and was told: a good moment for a checkpoint. Its error
    // ends the replay.
    std::function<result<void>(const state& current, log_position applied, log_position last_entry)> reached;
};

struct replayed_log {
    state current;
    log_position last_entry;
    replica_log start; // all but the vote
};

// `is_alone`: nobody else has this log, so one without what it needs is an error and not a new member's.
// Errors are words for the operator.
result<replayed_log> replay_log(const storage::recovered_log& log, known_state known, bool is_alone,
                                const replay_listener& listener);

} // namespace holdfast::broker
