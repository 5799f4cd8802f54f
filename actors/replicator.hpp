// Fetches for one follower what it lacks and the replica no longer holds: entries from the cache or the disk.
// Has a thread of its own, so that a follower far behind costs nobody else the time of its reads.
#pragma once

#include "actors/messages.hpp"
#include "storage/log_store.hpp"

#include <functional>

namespace holdfast::actors {

// `on_rot`: told where the own log can't be read.
replicator_actor::behavior_type replicator(replicator_actor::pointer self, commit_log_actor log,
                                           storage::log_store* store,
                                           std::function<void(log_position)> on_rot);

} // namespace holdfast::actors
