// What the two RocksDB users of this room (derived store, key index) have in common: settings for a small,
// quiet instance and errors in our words. Private to storage/*.cpp.
#pragma once

#include "base/result.hpp"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::storage {

struct rocksdb_budget {
    std::size_t memtable_bytes;
    std::size_t cache_bytes;
};

// One flush and one compaction thread (shared by all instances of the process), all table metadata inside the
// block cache, LZ4, no info log: what goes wrong comes back as an error.
[[nodiscard]] rocksdb::Options quiet_rocksdb(const rocksdb_budget& budget);

// An instance that another process may have open for writing. Every table is opened at once, so that a merge
// over there can't take one away. errc::not_found when there is none.
[[nodiscard]] result<std::unique_ptr<rocksdb::DB>>
open_rocksdb_read_only(const rocksdb_budget& budget, const std::filesystem::path& directory,
                       std::string_view doing);

// Every block of every table against its checksum; the error names the file.
[[nodiscard]] result<void> verify_rocksdb(rocksdb::DB& database, const std::filesystem::path& directory);

// `doing` completes the sentence "could not ...".
[[nodiscard]] error to_error(const rocksdb::Status& status, std::string_view doing,
                             const std::filesystem::path& directory);

// The way out that every message about a derived directory ends with.
[[nodiscard]] std::string rebuild_hint(const std::filesystem::path& directory);

// Creates `directory` with its parents and makes the last link durable.
[[nodiscard]] result<void> create_directory_durably(const std::filesystem::path& directory);

// rm -r; a directory that does not exist is a success. Refuses while another process holds RocksDB's lock.
[[nodiscard]] result<void> remove_rocksdb(const std::filesystem::path& directory);

// What a store says about itself under its first key: its format and the log it belongs to.
[[nodiscard]] std::string encode_identity(std::uint32_t format_version, std::string_view log_id);
[[nodiscard]] result<void> check_identity(std::string_view stored, std::uint32_t format_version,
                                          std::string_view log_id, const std::filesystem::path& directory);

} // namespace holdfast::storage
