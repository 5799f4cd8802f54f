// The derived store: everything a broker can work out again from its replicated log, kept so that a start
// does not have to (architecture, idea 2). It owns one RocksDB in one directory.
//
// In: checkpoints. A checkpoint is all changes since the last one plus the log position they bring the store
// to, in one `derived_batch`. Out: point reads, ordered scans, and the position from which the log is to be
// applied again after a start.
//
// Atomic without a write-ahead log. RocksDB's own log is off; the replicated log takes its place. There is
// one column family, so a batch goes into one memtable as a whole (RocksDB changes memtables only between
// batches), memtables reach the disk whole and in the order they were filled, and each arrives by one record
// of the MANIFEST that is flushed behind the table it names. The position is a key of the batch itself. So
// whatever kills the process or the machine, the next open finds the state of exactly one checkpoint, never a
// part of one, and `applied()` names it. It may be an older one than the last written: `flush()` is what
// makes it the last. With a second column family none of this would hold; that is why there is none.
//
// Loss of the directory is no loss of data: every message names this way out to the operator.
//
// Threads: reads may run on any thread, also while one thread writes; `write` and `flush` belong to one
// thread at a time. A read sees each checkpoint whole or not at all. `write` may wait for the disk when
// checkpoints come faster than it takes them, `flush` always does: neither belongs on a thread that answers
// clients.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rocksdb {
class DB;
class WriteBatch;
} // namespace rocksdb

namespace holdfast::storage {

// Keys and values are plain bytes; keys are ordered as unsigned bytes (memcmp), so integers in keys are
// big-endian and unsigned: use these.
void append_big(std::string& key, std::uint8_t value);
void append_big(std::string& key, std::uint32_t value);
void append_big(std::string& key, std::uint64_t value);

// The first key behind all keys that begin with `prefix`: the `last` of a half-open scan over a prefix.
// `prefix` must hold a byte other than 0xFF.
[[nodiscard]] std::string behind_prefix(std::string_view prefix);

// The changes of one checkpoint. Later calls win over earlier ones on the same key. Keys are not empty and do
// not begin with a zero byte (the store's own keys do): breaking that is a bug and ends the process.
class derived_batch {
  public:
    derived_batch();
    derived_batch(derived_batch&&) noexcept;
    derived_batch& operator=(derived_batch&&) noexcept;
    ~derived_batch();

    void put(std::string_view key, std::string_view value);
    void remove(std::string_view key);
    // All keys in [first, last). Cheap however many they are; each range costs later reads a little until it
    // is compacted away, so prefer one wide range to many narrow ones.
    void remove_range(std::string_view first, std::string_view last);

    // Memory taken. A batch is held twice while it is written: checkpoint before this passes some 4 MiB.
    [[nodiscard]] std::size_t size_bytes() const;
    [[nodiscard]] bool empty() const;

  private:
    friend class derived_store;
    std::unique_ptr<rocksdb::WriteBatch> changes_;
};

struct derived_store_options {
    std::size_t memtable_bytes = std::size_t{8}
                                 << 20U;             // two of them may exist while one is on its way to disk
    std::size_t cache_bytes = std::size_t{8} << 20U; // blocks, indexes and filters read from disk, together
};

class derived_store {
  public:
    // Raised whenever keys or values change their meaning; stores of another format are refused, not guessed
    // at.
    static constexpr std::uint32_t format_version = 2;

    // Opens or creates the store of the log named `log_id` (a uuid as text, at most 64 bytes, not empty). The
    // directory and its parents are created; a new store is on disk, bound to the log, when this returns.
    //   corrupted         bytes do not check out: delete the directory, it will be rebuilt
    //   invalid_argument  the store belongs to another log (the message has both ids)
    //   not_supported     another format version
    //   unavailable       another process has it open
    //   io_failed         the operating system refused
    static result<std::unique_ptr<derived_store>> open(const std::filesystem::path& directory,
                                                       std::string_view log_id,
                                                       const derived_store_options& options = {});

    // The store as its last flush left it, for an audit, also while another process works with it: needs no
    // lock and changes nothing. `write` and `flush` fail. errc::not_found when there is no store; otherwise
    // as open. Another process that compacts the store in this moment can make it fail with io_failed or
    // corrupted: try again.
    static result<std::unique_ptr<derived_store>> open_read_only(const std::filesystem::path& directory,
                                                                 std::string_view log_id,
                                                                 const derived_store_options& options = {});

    // Removes the store; no process may have it open. A directory that does not exist is a success.
    static result<void> destroy(const std::filesystem::path& directory);

    derived_store(const derived_store&) = delete;
    derived_store& operator=(const derived_store&) = delete;
    // An orderly close also flushes, without telling of failures: call flush() where that matters.
    ~derived_store();

    // Everything below this position is in the store; 0 for a new one. Moves when a write succeeds, before it
    // is durable.
    [[nodiscard]] log_position applied() const {
        return log_position{applied_.load(std::memory_order_acquire)};
    }
    // What is certain to survive kill -9 and power loss: the position of the last flush or of the open. The
    // log must keep everything from here on.
    [[nodiscard]] log_position durable() const {
        return log_position{durable_.load(std::memory_order_acquire)};
    }
    [[nodiscard]] const std::string& log_id() const { return log_id_; }

    // All changes and the new position, or nothing. `applied` never goes back (checked). Visible to reads
    // when this returns, durable only by a later flush (or whenever a memtable fills up). After a failure the
    // store is as before; while the disk is full every later write fails the same way and it heals by itself.
    result<void> write(derived_batch batch, log_position applied);

    // Returns when all written so far would survive kill -9 and power loss.
    result<void> flush();

    // Reads every block of every file and compares its checksum. errc::corrupted names the file.
    [[nodiscard]] result<void> verify() const;

    [[nodiscard]] result<std::optional<std::string>> find(std::string_view key) const;

    // Calls `visit(key, value)` in key order for all keys in [first, last), as they were when the call began,
    // until it returns false. The views are valid only during the call.
    using visitor = std::function<bool(std::string_view key, std::string_view value)>;
    result<void> scan(std::string_view first, std::string_view last, const visitor& visit) const;

    // The greatest key in [lower_bound, key] and its value; `key` itself counts.
    [[nodiscard]] result<std::optional<std::pair<std::string, std::string>>>
    seek_at_or_before(std::string_view key, std::string_view lower_bound) const;

  private:
    derived_store(std::filesystem::path directory, std::unique_ptr<rocksdb::DB> database);
    result<void> adopt(std::string_view log_id);
    result<void> read_identity(std::string_view stored, std::string_view log_id);

    std::filesystem::path directory_;
    std::unique_ptr<rocksdb::DB> database_;
    std::string log_id_;
    std::atomic<std::uint64_t> applied_{0};
    std::atomic<std::uint64_t> durable_{0};
};

} // namespace holdfast::storage
