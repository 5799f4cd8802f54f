#include "storage/log_beginning.hpp"

#include "storage/entry.hpp"
#include "storage/position_file.hpp"
#include "storage/truncation.hpp"

namespace holdfast::storage {

namespace {

constexpr std::uint32_t magic = 0x4C424648; // "HFBL"
// The second number.
constexpr std::uint64_t begun = 0;
constexpr std::uint64_t dropping = 1; // the old log may still be there, in part

position_file file_in(const path& directory) {
    return {
        directory / "beginning", magic,
        "It says at which position this node's log was begun. Put the file back from a copy, or start this "
        "node as a new member with an empty store."};
}

bool is_possible(log_position first) {
    return first.value() % block_size == 0 && first.value() <= max_log_position;
}

} // namespace

result<void> begin_log_at(file_system& files, const path& directory, log_position first) {
    if (!is_possible(first))
        return error{errc::invalid_argument, "no log can begin at position " + std::to_string(first.value()) +
                                                 ", which is not a multiple of 4096"};
    if (auto made = files.create_directories(directory); !made)
        return made;
    return write_positions(files, file_in(directory), {first.value(), dropping});
}

result<std::optional<log_position>> finish_beginning(segment_set& segments) {
    const auto file = file_in(segments.directory());
    const auto found = read_positions(segments.files(), file);
    if (!found)
        return found.failure();
    if (!found->has_value())
        return std::optional<log_position>{};
    const log_position first{(*found)->first};
    const auto state = (*found)->second;
    if (!is_possible(first) || state > dropping)
        return damaged(file, "the position makes no sense");
    if (state == dropping) {
        if (auto removed = segments.remove_from({}); !removed)
            return removed.failure();
        if (auto dropped = drop_truncation(segments); !dropped)
            return dropped.failure();
        if (auto written = write_positions(segments.files(), file, {first.value(), begun}); !written)
            return written.failure();
    }
    if (segments.list().empty())
        if (auto made = segments.find_or_create(first); !made)
            return made.failure();
    return std::optional{first};
}

} // namespace holdfast::storage
