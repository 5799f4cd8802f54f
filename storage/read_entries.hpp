// A stretch of the log for another replica: whole entries, fillers included.
#pragma once

#include "storage/log_reader.hpp"

#include <vector>

namespace holdfast::storage {

struct entry_stretch {
    std::vector<shared_bytes> entries; // one behind the other
    log_position last;                 // where the entry behind them begins
};

// From the entry that begins at `first` on as many as `most_bytes` allow, at least one, none at or beyond
// `end` (an entry's beginning or the log's end). Errors as log_reader::read_entry's, for the first entry; an
// error behind it only ends the stretch.
result<entry_stretch> read_entries(log_reader& reader, const segment_set& segments, log_position first,
                                   log_position end, std::uint64_t most_bytes);

} // namespace holdfast::storage
