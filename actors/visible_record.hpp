// A message by its place in the log: what clients send back in 12, 33 and 36 (protocol reference 3.2, 3.6;
// T5). May wait for the disk: for readers and other detached actors.
#pragma once

#include "actors/session_environment.hpp"
#include "broker/command.hpp"
#include "storage/queue_search.hpp"

#include <optional>
#include <vector>

namespace holdfast::actors {

// What is at a place, visible or not.
struct located_record {
    storage::cached_entry entry; // keeps the bytes
    std::size_t offset = 0;      // of the record within it
    std::uint32_t size = 0;
    broker::command_header command;
    queue_key queue; // where it goes, or is

    [[nodiscard]] byte_view bytes() const { return entry.entry.view().subspan(offset, size); }
    // The command's payload: the record and its trailer.
    [[nodiscard]] byte_view payload() const { return entry.entry.view().subspan(offset, command.size); }
};
// Nothing when no record begins there, or it is not committed, or its topic is gone. Any number from a client
// may be asked for.
//   not_found   retention has taken it, or the number was made up
//   corrupted   its bytes do not check out, or the number was made up
result<std::optional<located_record>> locate_record(const session_environment& environment,
                                                    log_position position);

// A message as a consumer would get it.
struct visible_record {
    std::vector<std::byte> bytes;
    queue_key queue;
    queue_offset offset;
};
// Nothing when there is none, or none that a consumer may see: a half that is not committed, a delayed
// message that is not due, a message that retention has taken out of its queue.
result<std::optional<visible_record>> find_visible_record(const session_environment& environment,
                                                          log_position position);
// For who looks for many that are near to each other.
result<std::optional<visible_record>> find_visible_record(const session_environment& environment,
                                                          log_position position,
                                                          storage::queue_search& search);

} // namespace holdfast::actors
