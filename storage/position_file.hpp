// A file of two numbers, about log positions, that is there in whole or not at all: what truncation.hpp and
// log_beginning.hpp must still know after a power cut. docs/files.md shows the bytes.
#pragma once

#include "storage/file.hpp"

#include <optional>

namespace holdfast::storage {

struct position_file {
    path name;
    std::uint32_t magic = 0;
    std::string meaning; // for errors: what it says, and what to do without it
};

struct position_pair {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

// Durable when it returns without error.
result<void> write_positions(file_system& files, const position_file& which, position_pair what);

// Nothing when there is no such file. errc::corrupted when it is damaged, errc::not_supported for another
// version.
result<std::optional<position_pair>> read_positions(file_system& files, const position_file& which);

[[nodiscard]] error damaged(const position_file& which, const std::string& what);

} // namespace holdfast::storage
