// The io threads and all that lives on them: listeners, connections, their limits.
//
//     io_runner io{limits_of(config)};
//     auto broker_port = io.listen("127.0.0.1", 10911, broker_sessions);
//     if (!broker_port) ... the message says which port and what to do
//     io.start();                             // nothing is accepted before
//     ...
//     io.stop_accepting();                    // the ports are closed
//     ... let the sessions answer what they accepted
//     io.flush_and_close_all(5s);             // every handler has been told connection_closed
//
// A connection belongs to one io thread for its life, so its handler is never called twice at a time.
#pragma once

#include "base/result.hpp"
#include "network/frame_handler.hpp"
#include "network/limits.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace holdfast::network {

// Counters for the metrics; each is read at its own instant.
struct network_usage {
    std::size_t connections = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;  // over a limit, closed right after accept
    std::uint64_t connections_expelled = 0; // closed for breaking the frame format or a limit
    std::uint64_t frames_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::size_t incoming_bytes = 0; // held for unfinished frames
    std::size_t outgoing_bytes = 0; // queued answers
};

class io_runner {
  public:
    explicit io_runner(limits bounds);
    // Closes everything at once and joins the threads.
    ~io_runner();
    io_runner(const io_runner&) = delete;
    io_runner& operator=(const io_runner&) = delete;

    // Binds a port (0 = any free one) for connections whose frames go to `handler`, which must outlive this
    // object. Answers the port that was bound. Errors: unavailable (address in use), permission_denied,
    // invalid_argument (not an address of this machine). Before start() only.
    result<std::uint16_t> listen(const std::string& address, std::uint16_t port, frame_handler& handler);

    void start();
    // Closes the listening ports. Connections stay.
    void stop_accepting();
    // Stops reading, writes what is queued, closes every connection, those that don't finish within
    // `deadline` hard; returns when every handler has been told. Not to be called from an io thread.
    void flush_and_close_all(std::chrono::milliseconds deadline);

    [[nodiscard]] network_usage usage() const;

  private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace holdfast::network
