// Reads entries of the log by position, for consumers, look-ups and replication. Every byte it hands out was
// verified: checksum, own position. Threads: any number; a cold read blocks on the disk.
//
// Errors: errc::not_found below the first segment (retention took it) or at and above the end of the log;
// errc::corrupted with position and file when the bytes there are not the entry that must be there (never
// served); errc::io_failed from the disk.
//
// The log's tail may be cut at any time: what is asked for once log_store::truncate has returned is never
// answered with cut bytes, and a read that the cut overtakes begins anew.
#pragma once

#include "storage/cold_reads.hpp"
#include "storage/entry.hpp"
#include "storage/entry_cache.hpp"
#include "storage/read_streams.hpp"
#include "storage/segment_set.hpp"

#include <mutex>

namespace holdfast::storage {

inline constexpr std::uint32_t command_header_size = 24;
// Of the back pointer within the command header: u32, little-endian, the distance in bytes from the record
// (the command's payload) back to the start of its entry. docs/files.md shows it.
inline constexpr std::uint32_t command_back_pointer_offset = 4;

struct log_reader_options {
    // A cold read takes so much at once, and keeps all whole entries of it; large ones are read alone.
    std::uint64_t read_ahead_bytes = 512U << 10U;
    // So much of the file behind it is asked for before it is needed, when the log is read in order.
    std::uint64_t prefetch_bytes = 4U << 20U;
};

struct segment_info {
    log_position first;
    log_position last;
    // Not older than the newest entry within: the time stamp of the first entry of the next segment. Empty
    // for the segment that is still being written.
    std::optional<timestamp_ms> newest;
};

class log_reader {
  public:
    log_reader(const segment_set& segments, entry_cache& cache, log_reader_options options = {});

    // The whole entry (header and body) that begins at `position`.
    result<shared_bytes> read_entry(log_position position);

    // The entry that holds the record whose first byte is at `record`, by the command's back pointer when it
    // is not in the cache. errc::not_found when the back pointer makes no sense. Takes any number from a
    // client (message ids carry positions); the answer to a made-up one may also be errc::corrupted.
    result<cached_entry> entry_containing(log_position record);

    // Oldest first, for retention.
    result<std::vector<segment_info>> segments();

  private:
    result<shared_bytes> read_cold(log_position position, std::uint64_t read_ahead);
    result<shared_bytes> read_file(log_position position, std::uint64_t read_ahead);
    result<cached_entry> search_containing(log_position record);
    void keep_following(const entry_header& previous, byte_view window, std::uint64_t erasures);
    void prefetch_behind(const segment& where, log_position first, log_position until, log_position end);
    result<std::shared_ptr<segment>> find_segment(log_position position) const;

    const segment_set& segments_;
    entry_cache& cache_;
    const log_reader_options options_;
    cold_reads cold_reads_;
    std::mutex mutex_; // of streams_
    read_streams streams_;
};

} // namespace holdfast::storage
