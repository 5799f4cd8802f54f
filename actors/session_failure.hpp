// What a client gets when its request could not be answered as it should be.
#pragma once

#include "actors/messages.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/answers.hpp"

#include <optional>

namespace holdfast::actors {

// Supervision of sessions: one that dies of a bug takes its connection with it, and nothing else. The client
// then asks anew, instead of waiting for an answer that can't come any more.
inline void close_when_it_fails(caf::local_actor& session, const connection_ptr& connection) {
    session.attach_functor([connection](const caf::error& reason) {
        if (reason)
            connection->close("its session failed, this is a bug of the broker");
    });
}

// The log refuses what it does not take with other codes. What fails after it was taken may stay in it.
inline bool is_fate_unknown(const std::optional<error>& failure) {
    return failure && (failure->code == errc::io_failed || failure->code == errc::timed_out);
}

// The code of a request that is surely not in the log. Clients take 14 to another broker, or to the next
// leader (trap T7).
inline protocol::response_code code_of_refusal(const error& why) {
    return why.code == errc::unavailable ? protocol::response_code::service_not_available
                                         : protocol::response_code::system_error;
}

// Answers a request that the log did not take. One that may be in the log all the same gets no answer, since
// every code would say that it is not: its connection is closed, and its client knows that it knows nothing.
inline void answer_failure(const connection_ptr& connection, const protocol::answer_to& to,
                           const error& why) {
    if (is_fate_unknown(why))
        return connection->close_after_flush(why.message);
    byte_buffer out;
    protocol::append_failure(out, to, code_of_refusal(why), why.message);
    connection->send(out.release());
}

} // namespace holdfast::actors
