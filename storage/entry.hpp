// An entry of the commit log: one 64-byte header, then the body (broker/ says what a body holds). One header,
// one checksum and one flush cover a whole batch of commands.
//
// The same bytes on every replica and on the way between them, but for `flushed`: that is each replica's own.
//
//   offset  type  field              (little-endian)
//        0  u32   magic              entry_magic, "HFE1" in a dump
//        4  u32   checksum           CRC-32C of the bytes [8, length), those of `flushed` taken as zeros
//        8  u32   length             header and body, without padding
//       12  u32   previous_checksum  of the entry before; 0 at position 0. Chains the log.
//       16  u64   position           its own
//       24  u64   term               of the leader who wrote it; never falls along the log
//       32  u64   flushed            this replica had all below on its disk before it wrote the entry
//       40  i64   timestamp_ms       wall clock at sealing
//       48  u32   count              commands in the body
//       52  u16   version            entry_version
//       54  u16   flags              bit 0: filler, bit 1: members
//       56  u64   committed          the leader's commit position when it sealed the entry
//       64  ...   body
//
// `flushed` is stored as the distance back from the entry's own position, in units of 64, in the upper 48
// bits, and a check of it in the lower 16: the lower half of the CRC-32C of the six bytes. So a replica can
// put in its own mark (patch_flushed) and leave checksum and chain as the leader made them, and every flipped
// bit of an entry is still noticed.
//
// Entries begin at multiples of 64; the bytes between `end` and the next entry are zero. An entry never
// crosses a segment's end: see segment_geometry.hpp.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <span>

namespace holdfast::storage {

inline constexpr std::size_t entry_header_size = 64;
inline constexpr std::uint64_t entry_alignment = 64;
inline constexpr std::uint32_t entry_magic = 0x31454648; // "HFE1"
inline constexpr std::uint16_t entry_version = 2;
inline constexpr std::uint16_t filler_flag = 1;
// The entry holds a change of the replica group's members. It counts from when it is appended, not from when
// it is committed (Raft thesis 4.1), so it must be found without a look into the body.
inline constexpr std::uint16_t members_flag = 2;
// No reader allocates more for one entry, whatever a damaged header says.
inline constexpr std::uint32_t max_entry_length = 64U << 20U;
// RocketMQ's offsets are signed; leaves room for sums that can't overflow.
inline constexpr std::uint64_t max_log_position = 1ULL << 62U;

struct entry_header {
    std::uint32_t checksum = 0;          // set by seal_entry
    std::uint32_t length = 0;            // set by seal_entry
    std::uint32_t previous_checksum = 0; // `checksum` of the entry before
    log_position position;
    term_number term;
    log_position flushed;   // local, see above
    log_position committed; // at most `position`; may be behind what an earlier leader's entry says
    timestamp_ms timestamp;
    std::uint32_t count = 0;
    std::uint16_t flags = 0;

    // A filler has no body; the log goes on at the next segment's start.
    [[nodiscard]] bool is_filler() const { return (flags & filler_flag) != 0; }
    [[nodiscard]] bool changes_members() const { return (flags & members_flag) != 0; }
    // One past the last byte of the body.
    [[nodiscard]] log_position end() const { return position + length; }
    // Where the next entry begins in the same segment. Not for a filler.
    [[nodiscard]] log_position next() const {
        return log_position{align_up(position.value() + length, entry_alignment)};
    }
    friend bool operator==(const entry_header&, const entry_header&) = default;
};

// Finishes an entry in place: `entry` is 64 bytes of headroom followed by the body. Sets header.length and
// header.checksum and writes the header. The caller set all other fields; header.position must be aligned,
// `flushed` too, and at most 16 PiB behind it.
void seal_entry(entry_header& header, std::span<std::byte> entry);

// A sealed filler for `header.position`: header only. Sets length, flags, count and checksum of `header`.
[[nodiscard]] shared_bytes seal_filler(entry_header& header);

// A follower's mark for an entry it received and is about to write: everything below `flushed` is on its own
// disk. `entry` begins with a sealed header, at or behind `flushed`; nothing else of it changes, and no
// checksum does.
void patch_flushed(std::span<std::byte> entry, log_position flushed);

// Reads a header and checks all that can be checked without the body: magic, version, length within
// [64, max_entry_length], alignment, flushed with its check, committed <= position, flags. errc::malformed
// says which; errc::not_supported: a header of an earlier build's format.
result<entry_header> decode_entry_header(byte_view bytes);

// The same, and that `bytes` holds the whole body (longer is fine) and the checksum is right (else
// errc::corrupted).
result<entry_header> decode_entry(byte_view bytes);

// The body of a decoded entry.
[[nodiscard]] inline byte_view entry_body(const entry_header& header, byte_view entry) {
    return entry.subspan(entry_header_size, header.length - entry_header_size);
}

} // namespace holdfast::storage
