// The files of the log: <store>/commitlog/<20-digit start position>, each as large as its segment, without a
// header: the byte at position p is at file offset p - first. The directory listing with its sizes is the
// truth about the geometry; segments of different sizes may follow each other after a change of the config.
//
// Shared by log_writer, prewriter, log_reader and retention; all operations may be called from any thread.
#pragma once

#include "storage/file.hpp"
#include "storage/segment_geometry.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

namespace holdfast::storage {

[[nodiscard]] std::string segment_file_name(log_position first);
// Nothing for a name that is not 20 digits.
[[nodiscard]] std::optional<log_position> parse_segment_file_name(std::string_view name);

// One open segment file, and who may write where in it. A reader that holds a segment can go on reading after
// retention removed it. Opened for writing only when something is to be written.
class segment {
  public:
    segment(file_system& files, log_position first, std::uint64_t size, std::unique_ptr<file> reading,
            write_mode writes);

    [[nodiscard]] log_position first() const { return first_; }
    [[nodiscard]] log_position last() const { return first_ + size_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] const path& name() const { return reading_->name(); }
    [[nodiscard]] bool contains(log_position position) const {
        return position >= first_ && position < last();
    }

    // Fills `into` from `position` on; returns the bytes read, fewer only at the segment's end.
    result<std::size_t> read(log_position position, std::span<std::byte> into) const;
    // See file::will_need; nothing when [first, until) does not lie within.
    void will_need(log_position first, log_position until) const;
    // See file::next_extent, in log positions.
    result<std::pair<log_position, log_position>> next_extent(log_position position) const;

    // The writers' side. Whole blocks within the segment; lanes may write at the same time, each its own
    // blocks. Keeps the prewriter off these blocks for good, and waits while it is at work on them.
    static constexpr unsigned lanes = 2;
    result<void> write(log_position position, byte_view blocks, unsigned lane = 0);
    // Earlier writes of this lane are on the disk when this returns without error.
    result<void> sync(unsigned lane = 0);

    // The prewriter's side: zeroes up to `chunk` bytes ahead of the writer, but nothing at or beyond `until`,
    // and puts them on the disk. Returns the bytes zeroed; 0 = nothing left to do.
    result<std::uint64_t> prewrite(std::uint64_t chunk, log_position until);
    // Everything below is written or zeroed.
    [[nodiscard]] log_position prewritten_until() const;
    // Recovery tells once, before writer and prewriter begin: bytes below `written` belong to the log for
    // good, those up to `zeroed` need no zeroing.
    void set_prepared(log_position written, log_position zeroed);

  private:
    result<file*> opened_for_writing(std::unique_ptr<file>& which);

    file_system& files_;
    const log_position first_;
    const std::uint64_t size_;
    const std::unique_ptr<file> reading_;
    const write_mode writes_;

    // Offsets in the file. The prewriter claims [zeroing_first_, zeroing_last_) under the mutex, zeroes it
    // without; the writer first moves claimed_ past what it will write, then waits for an overlapping claim
    // to end.
    mutable std::mutex mutex_;
    std::condition_variable zeroing_ended_;
    // A descriptor each: the kernel reports a failed write-back once to each of them, and nobody's sync may
    // swallow an error of another's data.
    std::array<std::unique_ptr<file>, lanes> writing_;
    std::unique_ptr<file> zeroing_;
    std::uint64_t claimed_ = 0;
    std::uint64_t prewritten_ = 0;
    std::uint64_t zeroing_first_ = 0;
    std::uint64_t zeroing_last_ = 0;
};

struct segment_options {
    std::uint64_t segment_size = default_segment_size; // of new ones; a multiple of block_size
    write_mode writes = write_mode::direct;            // docs/files.md has the figures
};

class segment_set {
  public:
    // Opens what is there; errc::corrupted when the files do not follow each other without a gap (a missing
    // middle segment, a truncated file). Creates the directory. The last file is made as large as
    // segment_size when it is smaller: its creation was cut short by a crash, or somebody truncated it; what
    // it holds says which.
    static result<std::unique_ptr<segment_set>> open(file_system& files, path directory,
                                                     segment_options options);

    // For audits, also of a log that a running node writes and trims: changes nothing, and what it opened
    // stays readable when retention removes it. The caller calls nothing that writes. errc::not_found without
    // a directory, errc::corrupted as above.
    static result<std::unique_ptr<segment_set>> open_read_only(file_system& files, path directory);

    [[nodiscard]] std::vector<std::shared_ptr<segment>> list() const;
    // The segment that holds this byte, or null.
    [[nodiscard]] std::shared_ptr<segment> find(log_position position) const;

    // Of the oldest segment; 0 when there is none.
    [[nodiscard]] log_position first() const;
    // Bytes below have a file to go to. When the disk is full this stops moving ahead of the log.
    [[nodiscard]] log_position allocated_until() const;

    // The segment that begins at `first`: the one that is there, or a new one after the last. A new one is
    // allocated in full and durable, name and all, before this returns. errc::unavailable when the disk is
    // full.
    result<std::shared_ptr<segment>> find_or_create(log_position first);

    // Removes, oldest first, durably, every segment that lies in whole below `position`, except the one being
    // written. Returns how many.
    result<std::size_t> remove_before(log_position position);
    // Removes the segments that begin at or after `position`, newest first, durably. For recovery.
    result<std::size_t> remove_from(log_position position);

    // Where the next entry goes when the log ends at `end`, which may be a segment's end.
    [[nodiscard]] segment_geometry geometry_at(log_position end) const;

    // How far the writer came; set by log_writer. Everything below flushed() is on the disk. Both go back
    // when the log's tail is cut (log_writer::truncate).
    [[nodiscard]] log_position written() const {
        return log_position{written_.load(std::memory_order_acquire)};
    }
    [[nodiscard]] log_position flushed() const {
        return log_position{flushed_.load(std::memory_order_acquire)};
    }
    void set_written(log_position position);
    void set_flushed(log_position position);
    // How often written() went back. Whoever reads without holding off the writer asks before it looks at
    // written() and again after the read: another number means that it may have read what is no longer log.
    [[nodiscard]] std::uint64_t cuts() const { return cuts_.load(std::memory_order_acquire); }
    void cut_written(log_position position);
    // Waits until written() >= `position`, or `stopping` and then wake() was called, or segments were
    // removed. For one thread, the prewriter.
    void wait_until_written(log_position position, const std::atomic<bool>& stopping);
    void wake();

    [[nodiscard]] file_system& files() const { return files_; }
    [[nodiscard]] const path& directory() const { return directory_; }
    [[nodiscard]] const segment_options& options() const { return options_; }

  private:
    segment_set(file_system& files, path directory, segment_options options);
    result<std::shared_ptr<segment>> open_segment(log_position first, std::uint64_t size);
    result<void> create_file(const path& name);
    result<void> remove_file(const segment& which);

    file_system& files_;
    const path directory_;
    const segment_options options_;

    std::mutex creating_; // one creation or removal at a time; held across disk operations
    mutable std::mutex mutex_;
    std::map<log_position, std::shared_ptr<segment>> segments_;
    std::condition_variable progress_;
    std::uint64_t wake_at_ = UINT64_MAX; // the position that the prewriter waits for
    bool woken_ = false;
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> flushed_{0};
    std::atomic<std::uint64_t> cuts_{0};
};

} // namespace holdfast::storage
