// What a node that does not lead its group answers to requests that only the leader may answer.
//
// Most are refused with code 14, after which stock clients try another broker or ask for a new route
// (protocol reference 2, 6). Offsets are not refused but met with silence and a closed connection: every
// error code of 14 would mean "no offset is stored" to them, and they would skip what the group has not read
// (trap T1). Code 21 is never said (T2).
#pragma once

#include "actors/messages.hpp"

#include <string>

namespace holdfast::actors {

// On the network's threads. `why` for people.
void answer_as_follower(const connection_ptr& connection, const session_frames& frames,
                        const std::string& why);

} // namespace holdfast::actors
