// A log that is empty and begins at a position above 0: a new member's, whose leader no longer has the
// entries below. Recovery takes an empty log there for rot, unless <commitlog>/beginning says that the log
// was begun there. That file stays: it vouches for this one position only, like 0 for every other log.
#pragma once

#include "storage/segment_set.hpp"

#include <optional>

namespace holdfast::storage {

// While no log_store is open on `directory` (<store>/commitlog; the caller holds the store's lock): drops the
// whole log, if there is one, and begins an empty one at `first`, a multiple of block_size and so chosen that
// the leader's segments end where these will. When it returns without error, or was interrupted once it had
// begun, the next recovery finds the empty log at `first`; interrupted before that, the old one. Derived
// state must go as well, or know no more than what is below `first`.
result<void> begin_log_at(file_system& files, const path& directory, log_position first);

// For recovery: carries through what begin_log_at left. Where the log was begun, if it was.
result<std::optional<log_position>> finish_beginning(segment_set& segments);

} // namespace holdfast::storage
