// A disk that breaks on demand, for the real binary under test: the Nth write or sync fails, or syncs are
// silently ignored (the canary that a test suite worth its name must catch). Wraps any file_system; never
// part of a production path unless the config says so in as many words.
#pragma once

#include "storage/file.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace holdfast::storage {

// Counted over all files whose path contains `path_contains`, from 1; 0 = never. From the Nth on every one
// fails, as with a disk that is gone. A direct write counts as a write and as a sync.
struct fault_settings {
    std::uint64_t fail_write_from = 0;
    std::uint64_t fail_sync_from = 0;
    bool ignore_syncs = false; // answer ok, do nothing; direct writes become buffered ones
    std::string path_contains; // empty = every file
};

class fault_file_system final : public file_system {
  public:
    // `disk` must outlive this and every file opened through it.
    fault_file_system(file_system& disk, fault_settings settings);
    ~fault_file_system() override;

    result<std::unique_ptr<file>> open(const path& name, open_mode mode,
                                       write_mode writes = write_mode::buffered) override;
    result<void> rename(const path& from, const path& to) override;
    result<void> remove(const path& name) override;
    result<std::vector<file_entry>> list(const path& directory) override;
    result<void> create_directories(const path& directory) override;
    result<void> sync_directory(const path& directory) override;
    result<disk_space> space(const path& directory) override;
    result<std::unique_ptr<directory_lock>> lock(const path& directory) override;

    struct counters;

  private:
    file_system& disk_;
    fault_settings settings_;
    std::shared_ptr<counters> counters_;
};

} // namespace holdfast::storage
