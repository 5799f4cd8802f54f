// The one seam to the disk. Everything durable goes through `file` and `file_system`; production uses
// posix_file_system, tests a simulated disk that loses what was not synced, and fault_file_system wraps
// either.
//
// What a return means for durability: a successful write is only in the operating system's memory, unless the
// file was opened `direct` (then it is on the disk). A successful sync_data puts every earlier write of this
// file, and the size needed to read it back, on the disk. Creating, renaming or removing a name is durable
// only after sync_directory of its folder. After a failed write or sync_data nobody knows what is on the
// disk: never retry, never believe (log_writer fences itself).
//
// Errors: errc::not_found, already_exists, permission_denied, unavailable (disk full), io_failed. The message
// names path, operation and errno's text.
// Threads: every operation may be called from any thread; two writes to overlapping ranges are the caller's
// bug.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <boost/filesystem/path.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace holdfast::storage {

using path = boost::filesystem::path;

// Writes to a `direct` file, offset, length and memory, are multiples of this; the log writes so to every
// file.
inline constexpr std::size_t block_size = 4096;

struct file_extent {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

class file {
  public:
    file() = default;
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    virtual ~file() = default;

    // Fills `into` from `offset`; returns the bytes read, fewer than asked only at the end of the file.
    virtual result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const = 0;

    // Writes all of `bytes` at `offset` or fails; a failure may have written a part.
    virtual result<void> write(std::uint64_t offset, byte_view bytes) = 0;

    // fdatasync.
    virtual result<void> sync_data() = 0;

    virtual result<std::uint64_t> size() const = 0;

    // Grows the file to `size` and reserves the room, so that later writes can't run out of it. New bytes
    // read as zero.
    virtual result<void> allocate(std::uint64_t size) = 0;

    virtual result<void> truncate(std::uint64_t size) = 0;

    // The first range [first, last) at or after `offset` that was ever written; what lies before it was only
    // reserved and reads as zero. Empty, at the file's end, when there is none. A hint for speed: a file
    // system that can't tell answers [offset, size).
    virtual result<file_extent> next_extent(std::uint64_t offset) const = 0;

    // A hint for speed: this will be read soon. Does not wait for the disk.
    virtual void will_need(std::uint64_t /*offset*/, std::uint64_t /*size*/) const {}

    [[nodiscard]] virtual const path& name() const = 0;
};

// Writes zeros over [first, last) in large pieces. Not synced.
result<void> write_zeros(file& target, std::uint64_t first, std::uint64_t last);

// Fills all of `into` or fails with errc::corrupted, naming file and offset, when the file ends before.
result<void> read_exactly(const file& source, std::uint64_t offset, std::span<std::byte> into);

enum class open_mode : std::uint8_t {
    read,       // must exist
    read_write, // must exist
    create,     // read and write; must not exist
    replace,    // read and write; created when missing, emptied when not
};

enum class write_mode : std::uint8_t {
    buffered, // through the page cache; durable with sync_data
    direct,   // past the page cache, durable when write returns (O_DIRECT | O_DSYNC); block_size alignment
};

struct file_entry {
    std::string name; // last component only
    std::uint64_t size = 0;
    bool is_directory = false;
};

struct disk_space {
    std::uint64_t free_bytes = 0; // that this process may use
    std::uint64_t total_bytes = 0;
};

// Held while the object lives; the operating system lets go of it when the process dies.
class directory_lock {
  public:
    directory_lock() = default;
    directory_lock(const directory_lock&) = delete;
    directory_lock& operator=(const directory_lock&) = delete;
    virtual ~directory_lock() = default;
};

class file_system {
  public:
    file_system() = default;
    file_system(const file_system&) = delete;
    file_system& operator=(const file_system&) = delete;
    virtual ~file_system() = default;

    virtual result<std::unique_ptr<file>> open(const path& name, open_mode mode,
                                               write_mode writes = write_mode::buffered) = 0;
    virtual result<void> rename(const path& from, const path& to) = 0; // replaces `to`
    virtual result<void> remove(const path& name) = 0;
    // Sorted by name. errc::not_found when there is no such directory.
    virtual result<std::vector<file_entry>> list(const path& directory) = 0;
    // With its parents, durably: every directory that got a new name is synced. Fine when it exists.
    virtual result<void> create_directories(const path& directory) = 0;
    virtual result<void> sync_directory(const path& directory) = 0;
    virtual result<disk_space> space(const path& directory) = 0;
    // Takes <directory>/lock for this process. errc::unavailable, naming the other process when it is known,
    // when it is taken.
    virtual result<std::unique_ptr<directory_lock>> lock(const path& directory) = 0;
};

// Replaces `name` by a file with `bytes`, atomically and durably: afterwards, whatever happens, the old or
// the new content is there in whole; when this returns without error it is the new one.
result<void> replace_file(file_system& files, const path& name, byte_view bytes);

// A whole small file. errc::too_large over `limit` bytes.
result<std::vector<std::byte>> read_file(file_system& files, const path& name, std::size_t limit);

} // namespace holdfast::storage
