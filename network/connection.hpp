// One client's connection, as those above the network see it. No sockets in here, so that sessions can be
// tested with a connection of their own making.
//
// Every function may be called from any thread, and after the connection has closed (then it does nothing).
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::network {

// The other end. `ipv4` in host byte order (127.0.0.1 = 0x7F000001); 0 for a client that came over real IPv6
// (the stored message has room for it, but C++ and Node clients can't decode it: trap T13).
struct peer_address {
    std::uint32_t ipv4 = 0;
    std::uint16_t port = 0;
    std::string text; // "127.0.0.1:40112"
};

class connection {
  public:
    virtual ~connection() = default;

    [[nodiscard]] virtual connection_id id() const = 0;
    [[nodiscard]] virtual const peer_address& peer() const = 0;

    // Queues whole frames for writing (byte_buffer::release() gives them without a copy); the order of calls
    // is the order on the wire. All that is queued goes out together, small pieces joined, large ones as they
    // are. Says nothing about arrival: an answer can always be lost with its connection. A client that lets
    // the queue grow is closed (network/limits.hpp).
    virtual void send(shared_bytes frames) = 0;
    // Several pieces that must follow each other on the wire (an answer's header and a body from the log).
    virtual void send(std::vector<shared_bytes> pieces) = 0;

    // Of what was given to send(), the bytes that the socket has not taken yet: whoever makes many large
    // answers of one read lets them drain first.
    [[nodiscard]] virtual std::size_t unwritten_bytes() const { return 0; }

    // Back-pressure from above, e.g. while too many requests are unanswered. Frames of the read that is under
    // way may still come. Not counted: one resume undoes any number of pauses.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;

    // Closes at once; what is queued and not yet written is dropped. The first reason given is the one that
    // frame_handler::connection_closed and the log get.
    virtual void close(std::string reason) = 0;
    // Reads no more, writes what is queued by now, then closes. A client that does not read is closed by the
    // limits all the same.
    virtual void close_after_flush(std::string reason) = 0;
};

} // namespace holdfast::network
