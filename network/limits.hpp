// Every limit the network puts on its clients, in one place.
//
// What they promise together: the memory that clients can make this process hold is bounded, per connection
// and in total; and a client that never reads its answers, sends one byte a second or opens connections
// without end costs the others nothing. A connection over a limit is closed with a reason in the log, never
// slowed down together with others.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::config {
struct node_config;
}

namespace holdfast::network {

struct limits {
    // Connections over all listeners, and of one client address; the next one is closed right after accept.
    std::size_t connections = 10'000;
    std::size_t connections_per_address = 0; // 0 = no limit of its own

    // Bytes of unfinished frames over all connections. The connection whose read would exceed it is closed,
    // unless its share is small (read_buffer_min_bytes): those who send whole frames never notice.
    std::size_t incoming_bytes_total = 256U << 20U;

    // Answers queued on one connection: above `pause` nothing more is read from it; above `soft` for longer
    // than slow_reader_timeout, or above `hard` at all, it is closed.
    std::size_t outgoing_pause_bytes = 8U << 20U;
    std::size_t outgoing_soft_bytes = 32U << 20U;
    std::size_t outgoing_hard_bytes = 64U << 20U;
    // Answers queued over all connections: above it, a connection above its own `pause` is closed.
    std::size_t outgoing_bytes_total = 512U << 20U;

    std::chrono::milliseconds slow_reader_timeout{10'000};
    // From a frame's first byte to its last, not counting time in which we chose not to read.
    std::chrono::milliseconds slow_frame_timeout{30'000};
    // No byte in either direction (protocol reference 1.5).
    std::chrono::milliseconds idle_timeout{120'000};

    std::uint32_t io_threads = 1;
};

// One read asks for this much at first; connections that fill their reads are given more, up to the maximum.
// A frame longer than its buffer gets room as its bytes arrive, not as its length claims.
inline constexpr std::size_t read_buffer_min_bytes = 64U << 10U;
inline constexpr std::size_t read_buffer_max_bytes = 1U << 20U;

// How long accepting pauses after the process ran out of file descriptors or memory.
inline constexpr std::chrono::milliseconds accept_backoff{100};

// After close_after_flush has written its last byte: how long the client may take to close its side, so that
// the kernel does not throw away what it has not fetched yet.
inline constexpr std::chrono::milliseconds linger_timeout{500};

[[nodiscard]] limits limits_of(const config::node_config& settings);

} // namespace holdfast::network
