// The key index: which records carry a given KEYS word or UNIQ_KEY (request code 12, protocol reference 5.2).
// It owns one RocksDB in one directory and is fed behind the produce path in sorted bulk; look-ups are rare
// and for people, entries are many, so everything here favours cheap adding.
//
// Layout. Entries go in as rows (storage/key_rows.hpp): those of one bulk, one generation and one bucket, the
// top bits of the hash, are one pair of RocksDB.
//
//   key    generation u32 | bucket u16 | indexed_until u64 of the bulk      big-endian, 14 bytes
//   value  the row
//
// So the rows of one bucket are neighbours, and those of different bulks do not meet.
//
// A generation is 1 GiB of log (position >> 30). Hashes are random, so in one big sorted set every bulk would
// touch everything and compaction would rewrite it for ever; cut into generations, new bulks overlap only
// what is youngest. There are two levels, so a row is written once by its bulk and merged within its own
// generation (measured: docs/decisions/0003-queue-index.md), and a finished generation never moves again. A
// look-up asks one generation after the other, newest first: one seek for each GiB of log, and the rows of
// one bucket to look through. A word that most messages carry makes its bucket long, and the keys that share
// it, one in 1024, as slow to find.
//
// Retention. `drop_below` unlinks the tables whose generations lie wholly below the log's first position,
// which costs no rewriting. Entries left over (in a table shared with a younger generation, or not yet
// merged) are hidden from look-ups at once and vanish with that table's unlinking or next merge. So the disk
// holds entries of the log that is kept, of one generation below it, and at most 32 unmerged bulks; a merge
// needs room for one generation.
//
// Position. Each bulk goes in as sorted tables (SstFileWriter) that RocksDB adopts by one MANIFEST record,
// with a marker as its very last key that says how far the log is indexed. Entries and position are one: both
// durable when `add` returns, or neither. Adding the same entries again changes nothing: where two rows hold
// the same entry, readers take it once.
//
// Loss of the directory is no loss of data: it is rebuilt from the log.
//
// Threads: `find` may run on any thread, also beside one thread that calls `add` and `drop_below`.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/key_entry.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class DB;
class Status;
} // namespace rocksdb

namespace holdfast::storage {

struct found_key {
    log_position position;
    timestamp_ms stored_at;
    friend bool operator==(const found_key&, const found_key&) = default;
};

class key_index {
  public:
    static constexpr std::uint32_t format_version = 2;
    // log2 of the bytes of log in one generation.
    static constexpr unsigned generation_bits = 30;

    // Opens or creates the index of the log named `log_id`. Errors as those of derived_store::open. Call
    // drop_below(first position of the log) next: the index does not keep that itself.
    static result<std::unique_ptr<key_index>> open(const std::filesystem::path& directory,
                                                   std::string_view log_id);

    // The index as it is on the disk, for an audit, also while another process works with it: needs no lock
    // and changes nothing. errc::not_found when there is none; otherwise as derived_store::open_read_only.
    static result<std::unique_ptr<key_index>> open_read_only(const std::filesystem::path& directory,
                                                             std::string_view log_id);

    // Removes the index; no process may have it open. A directory that does not exist is a success.
    static result<void> destroy(const std::filesystem::path& directory);

    key_index(const key_index&) = delete;
    key_index& operator=(const key_index&) = delete;
    ~key_index();

    // All keys of records below this position are in the index, durably; 0 for a new one.
    [[nodiscard]] log_position indexed_until() const {
        return log_position{indexed_until_.load(std::memory_order_acquire)};
    }

    // Adds `entries` (in any order; all positions below `indexed_until`: checked), durable when this returns.
    // Costs two flushes of the disk however many they are: collect 64k or more, and also call it without
    // entries when much log without keys has passed. `indexed_until` never goes back (checked) and names the
    // bulk: entries that come with the same one a second time may take the place of the first. Needs 24 bytes
    // an entry of scratch memory.
    result<void> add(std::span<const key_entry> entries, log_position indexed_until);

    // Up to `limit` records with this hash, stored between `begin` and `end` (both included, as RocketMQ
    // does), at or above the last drop_below, newest position first. Different keys may share a hash: the
    // caller compares the record's own keys.
    [[nodiscard]] result<std::vector<found_key>> find(std::uint64_t hash, timestamp_ms begin,
                                                      timestamp_ms end, std::size_t limit) const;

    // Calls `visit` once for every entry of records in [first, last), generation by generation, each in the
    // order of the hashes.
    result<void> scan(log_position first, log_position last,
                      const std::function<void(const key_entry&)>& visit) const;

    // Reads every block of every file and compares its checksum. errc::corrupted names the file.
    [[nodiscard]] result<void> verify() const;

    // The log now begins at `first`: entries below it are never found again, and their disk space is given
    // back by whole generations. Cheap enough to call after every deleted segment. Does not go back.
    result<void> drop_below(log_position first);

  private:
    class generation_filter;

    key_index(std::filesystem::path directory, std::unique_ptr<generation_filter> filter,
              std::unique_ptr<rocksdb::DB> database);
    [[nodiscard]] std::filesystem::path staging() const { return directory_ / "incoming"; }
    result<void> adopt(std::string_view log_id);
    result<void> read_marker();
    rocksdb::Status write_tables(std::span<const key_entry> entries, log_position indexed_until,
                                 std::vector<std::string>& tables) const;
    [[nodiscard]] error malformed() const;

    std::filesystem::path directory_;
    std::unique_ptr<generation_filter> filter_; // outlives the database, whose merges call it
    std::unique_ptr<rocksdb::DB> database_;
    std::atomic<std::uint64_t> indexed_until_{0};
};

} // namespace holdfast::storage
