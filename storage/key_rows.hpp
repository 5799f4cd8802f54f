// Rows: how the key index keeps entries many at a time. One pair of RocksDB costs some 2,000 instructions to
// write, whatever it holds; an entry in a row costs a few dozen.
//
// The entries of one bulk are dealt into buckets by the top bits of their hash, and each bucket is packed
// into one row. Within a row nothing is sorted. A row is a count and three columns, hashes, positions and
// store timestamps, each as its smallest number and the distances from that. Every number takes only as many
// bytes as it, or the largest distance of its column, needs:
//
//   width u8 | count, then three times: widths u8 | smallest | count distances      little-endian
//
// where `widths` has the width of the smallest in its lower half and that of a distance in its upper half. So
// in a full bulk a hash takes 7 bytes (the bucket says the rest), a position 4, a timestamp 2; a row of one
// entry, as a slow broker's bulks have, takes some 24. LZ4 would find nothing in the former.
#pragma once

#include "base/bytes.hpp"
#include "storage/key_entry.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace holdfast::storage {

// log2 of the buckets. Part of the format.
inline constexpr unsigned key_bucket_bits = 10;
inline constexpr std::size_t key_buckets = std::size_t{1} << key_bucket_bits;

[[nodiscard]] constexpr std::uint16_t key_bucket_of(std::uint64_t hash) {
    return static_cast<std::uint16_t>(hash >> (64U - key_bucket_bits));
}

// Deals the entries between two positions into their buckets, by counting: two passes, no comparisons.
class key_dealer {
  public:
    // Those of [first, last); valid until the next call.
    void deal(std::span<const key_entry> entries, log_position first, log_position last);
    [[nodiscard]] std::span<const key_entry> bucket(std::size_t number) const;

  private:
    std::vector<key_entry> dealt_;
    std::vector<std::uint32_t> ends_; // of each bucket in dealt_
};

// The row of `entries`, at least one, in `scratch`: valid until that changes.
[[nodiscard]] byte_view pack_key_row(std::span<const key_entry> entries, std::vector<std::byte>& scratch);

// A row, read in place.
class key_row {
  public:
    // Nothing when the bytes are not exactly one row.
    [[nodiscard]] static std::optional<key_row> parse(byte_view bytes);

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::uint64_t hash(std::size_t at) const { return hashes_.number(at); }
    [[nodiscard]] key_entry entry(std::size_t at) const;

  private:
    struct column {
        std::uint64_t smallest = 0;
        std::size_t width = 0;
        const std::byte* distances = nullptr;
        [[nodiscard]] std::uint64_t number(std::size_t at) const;
    };
    [[nodiscard]] static std::optional<column> take_column(byte_view& rest, std::size_t size);

    std::size_t size_ = 0;
    column hashes_;
    column positions_;
    column times_;
};

} // namespace holdfast::storage
