// Looks for entries where the chain of the log is broken: is there anything, and does it still say something?
#pragma once

#include "storage/entry.hpp"
#include "storage/segment_set.hpp"

#include <functional>
#include <optional>

namespace holdfast::storage {

struct search_outcome {
    std::optional<entry_header> found;
    bool anything = false; // bytes that are not zero were met on the way
};

// The first whole entry at or after `from` (rounded up to where entries may begin) that stands at its own
// place, whose checksum holds and that `wanted` takes. Reads only what was ever written, in pieces of 1 MiB.
result<search_outcome> find_entry(const segment_set& segments, log_position from,
                                  const std::function<bool(const entry_header&)>& wanted);

} // namespace holdfast::storage
