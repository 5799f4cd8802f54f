// How services that all connections share answer many requests of one read: what one client does not read
// must not pile up, and nobody may wait for it.
#pragma once

#include "actors/limits.hpp"
#include "base/byte_buffer.hpp"
#include "network/connection.hpp"

#include <string>

namespace holdfast::actors {

// Sends what there is. False: the client has read too little of what was sent before; it is closed, and the
// rest of its requests need no answer.
[[nodiscard]] inline bool send_chunk(network::connection& to, byte_buffer& answers) {
    const auto unread = to.unwritten_bytes();
    if (unread > limits::max_unread_answer_bytes) {
        answers.clear();
        to.close("asks faster than it reads the answers: " + std::to_string(unread) + " bytes are waiting");
        return false;
    }
    to.send(answers.release());
    return true;
}

} // namespace holdfast::actors
