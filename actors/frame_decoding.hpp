// Taking the header of a received frame apart; the same for every session and service.
#pragma once

#include "network/connection.hpp"
#include "network/frame_batch.hpp"
#include "protocol/frame.hpp"
#include "protocol/remoting_command.hpp"

namespace holdfast::actors {

// Decodes frame `index` into `command`. A header that can't be understood closes the connection, as a Java
// server does, and answers false.
[[nodiscard]] inline bool decode_frame(const network::frame_batch& frames, std::uint32_t index,
                                       network::connection& from, protocol::remoting_command& command) {
    const auto frame = protocol::next_frame(frames.view(index));
    const auto decoded = frame.ok() && *frame ? command.decode(**frame)
                                              : result<void>{error{errc::malformed, "not a whole frame"}};
    if (!decoded.ok())
        from.close("sent a malformed header: " + decoded.failure().message);
    return decoded.ok();
}

} // namespace holdfast::actors
