// The end of a log, or of a prefix of it: all that the next entry depends on.
#pragma once

#include "base/ids.hpp"
#include "storage/segment_geometry.hpp"

#include <cstdint>

namespace holdfast::broker {

struct log_tail {
    log_position next;               // where the next entry goes, see storage/segment_geometry.hpp
    std::uint32_t last_checksum = 0; // of the entry before
    timestamp_ms timestamp;          // of the entry before
    storage::segment_geometry geometry;
    friend bool operator==(const log_tail&, const log_tail&) = default;
};

} // namespace holdfast::broker
