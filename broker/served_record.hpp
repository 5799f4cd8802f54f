// A stored record as consumers see it: what only the index knows, and what became of it since it was written.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"

#include <cstddef>

namespace holdfast::broker {

// Completes a copy of the record at `offset` of a verified `entry`; the copy has all of its `size` bytes.
//   any       its queue offset
//   half      it is committed (nobody else gets it): sysFlag says so, preparedTransactionOffset is its own
//   place delayed   storeTimestamp is when it was due, as if it had been stored then
void complete_served_record(byte_view entry, std::size_t offset, std::size_t size, queue_offset at,
                            std::byte* copy);

} // namespace holdfast::broker
