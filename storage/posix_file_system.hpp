// The real disk: POSIX descriptors for bytes, Boost.Filesystem for names. See file.hpp for what returns mean.
#pragma once

#include "storage/file.hpp"

namespace holdfast::storage {

class posix_file_system final : public file_system {
  public:
    result<std::unique_ptr<file>> open(const path& name, open_mode mode,
                                       write_mode writes = write_mode::buffered) override;
    result<void> rename(const path& from, const path& to) override;
    result<void> remove(const path& name) override;
    result<std::vector<file_entry>> list(const path& directory) override;
    result<void> create_directories(const path& directory) override;
    result<void> sync_directory(const path& directory) override;
    result<disk_space> space(const path& directory) override;
    // flock on <directory>/lock, which holds the owner's pid as text.
    result<std::unique_ptr<directory_lock>> lock(const path& directory) override;
};

} // namespace holdfast::storage
