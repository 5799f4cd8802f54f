// Where the next entry goes. Pure arithmetic, no files: broker/replica decides positions with it, log_writer
// finds the same segments on the disk.
//
// The log is cut into segments, one file each, that follow each other without a gap. An entry lies in one
// segment. When it does not fit into what is left of the current one, a filler (entry.hpp) takes that place
// and the entry begins the next segment; when nothing is left there is no filler. Positions are multiples of
// 64 and sizes of 4096, so a filler fits wherever something is left.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"

#include <cstdint>
#include <optional>

namespace holdfast::storage {

inline constexpr std::uint64_t default_segment_size = 1ULL << 30U;

// The segment that takes the next entry (or is just full), and the size of those to come.
struct segment_geometry {
    log_position first;
    std::uint64_t size = default_segment_size;
    std::uint64_t next_size = default_segment_size;

    [[nodiscard]] log_position last() const { return first + size; }
    friend bool operator==(const segment_geometry&, const segment_geometry&) = default;
};

struct entry_place {
    std::optional<log_position> filler; // write one here first
    log_position position;              // of the entry
    segment_geometry geometry;          // to be used for the entry after
};

// The place of an entry of `length` bytes (header and body) when the log ends at `next`, which lies within
// [geometry.first, geometry.last()]. `length` must not exceed next_size: the caller bounds its batches.
[[nodiscard]] inline entry_place place_entry(const segment_geometry& geometry, log_position next,
                                             std::uint64_t length) {
    HOLDFAST_CHECK(next >= geometry.first && next <= geometry.last());
    HOLDFAST_CHECK(length <= geometry.next_size);
    if (length <= geometry.last() - next)
        return {std::nullopt, next, geometry};
    const segment_geometry following{geometry.last(), geometry.next_size, geometry.next_size};
    if (next == geometry.last())
        return {std::nullopt, next, following};
    return {next, geometry.last(), following};
}

} // namespace holdfast::storage
