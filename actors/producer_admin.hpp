// What operators ask about producers: those of one group (204) and of all groups (328), as far as their
// heartbeats told (protocol reference 3.5, 3.7).
#pragma once

#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/remoting_command.hpp"

namespace holdfast::actors {

void answer_about_producers(const session_environment& environment, producer_connections::time_point now,
                            const protocol::remoting_command& command, byte_buffer& out);

} // namespace holdfast::actors
