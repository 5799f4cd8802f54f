// Finds where a log holds bytes that were once on the disk and no longer hold, so that they can be fetched
// from another replica (log_mender.hpp). Recovery only needs to know that there is such a place; this looks
// on.
#pragma once

#include "storage/entry.hpp"
#include "storage/segment_set.hpp"

#include <optional>
#include <string>

namespace holdfast::storage {

struct rotten_place {
    log_position first;                 // here the next entry must begin
    std::optional<entry_header> before; // of the entry that ends there; none where the search began
    std::string reason;                 // file, place and what stands there, in words
    // A whole entry stands somewhere behind it. Without one nothing can prove what another replica says.
    bool has_end = false;
};

struct rot_search {
    log_position from;          // the start of an entry or of a segment
    log_position until;         // entries that begin here or behind are not looked at
    log_position durable_until; // everything below was once known to be on this disk
};

// The first rotten place. What nothing shows to have been on the disk is no rot but a torn tail, and none of
// our business: an entry behind the place that was sealed when it was flushed shows it, and durable_until.
// Reads the log from `from` on. errc::io_failed from the disk; errc::not_supported for an earlier build's
// entries.
result<std::optional<rotten_place>> find_rot(const segment_set& segments, const rot_search& where);

} // namespace holdfast::storage
