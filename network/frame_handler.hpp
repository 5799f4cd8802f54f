// What the network hands frames to; implemented above it (actors/).
//
// For one connection the calls come one after another from one thread: opened, frames..., closed; closed
// exactly once and last. Different connections may be on different io threads. Must not block: every other
// connection of that thread waits meanwhile.
#pragma once

#include "base/ids.hpp"
#include "network/connection.hpp"
#include "network/frame_batch.hpp"

#include <memory>
#include <string_view>

namespace holdfast::network {

class frame_handler {
  public:
    virtual ~frame_handler() = default;

    virtual void connection_opened(std::shared_ptr<connection> opened) = 0;
    virtual void frames_received(connection& from, frame_batch frames) = 0;
    // `reason` in words for the log: "closed by the client", "sent a frame of ... bytes", ...
    virtual void connection_closed(connection_id which, std::string_view reason) = 0;
};

} // namespace holdfast::network
