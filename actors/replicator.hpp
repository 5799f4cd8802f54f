// Fetches for one follower what it lacks and the replica no longer holds: entries from the cache or the disk.
// Has a thread of its own, so that a follower far behind costs nobody else the time of its reads.
#pragma once

#include "actors/messages.hpp"
#include "storage/log_store.hpp"

namespace holdfast::actors {

replicator_actor::behavior_type replicator(replicator_actor::pointer self, commit_log_actor log,
                                           storage::log_store* store);

} // namespace holdfast::actors
