// Supervision of sessions: one that dies of a bug takes its connection with it, and nothing else.
#pragma once

#include "actors/messages.hpp"

namespace holdfast::actors {

// The client then asks anew, instead of waiting for an answer that can't come any more.
inline void close_when_it_fails(caf::local_actor& session, const connection_ptr& connection) {
    session.attach_functor([connection](const caf::error& reason) {
        if (reason)
            connection->close("its session failed, this is a bug of the broker");
    });
}

} // namespace holdfast::actors
