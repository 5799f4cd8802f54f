// The answer to an END_TRANSACTION that came when its half was no longer undecided: OK when it says what was
// decided, and otherwise why not (protocol reference 3.2, trap T8). Also to one whose two numbers are not one
// half's, undecided or not: it is always refused. May block on the disk.
#pragma once

#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/remoting_command.hpp"

namespace holdfast::actors {

void repeated_decision(const session_environment& environment, const protocol::remoting_command& command,
                       byte_buffer& out);

} // namespace holdfast::actors
