// What every kind of client (producer, push consumer, admin) has in common: where the name servers are, who
// we say we are, how long we wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace holdfast::client {

// How request headers are written (protocol reference 1.1, 1.2). Binary costs less; answers are understood in
// both, whatever is chosen here.
enum class header_format : std::uint8_t { binary, json };

struct client_options {
    // `host:port`, several separated by ';'. They are asked in turn.
    std::string name_servers = "127.0.0.1:9876";
    // Distinguishes clients of one process; empty = made up: `ip@pid#time#number`. Members of a group must
    // differ in it.
    std::string client_id{};
    header_format headers = header_format::binary;
    // Of small questions: routes, offsets, heartbeats, member lists.
    std::chrono::milliseconds request_timeout{3'000};
    std::chrono::milliseconds connect_timeout{3'000};
    // After a failed connection attempt the next waits this long, doubling up to `reconnect_most`.
    std::chrono::milliseconds reconnect_first{50};
    std::chrono::milliseconds reconnect_most{200};
    // A name server that has not answered by then is not waited for: the next one is asked too.
    std::chrono::milliseconds name_server_patience{200};
    // A broker that owes answers and has said nothing for so long may be frozen or cut off: the name servers
    // are asked whether another one leads by now. While it still leads, its answers are waited for.
    std::chrono::milliseconds silence_limit{1'000};
    std::chrono::milliseconds route_interval{30'000};
    std::chrono::milliseconds heartbeat_interval{30'000};
    // Bounds of one connection: requests without an answer, and bytes encoded and not yet written.
    std::size_t max_requests_in_flight = 65'536;
    std::size_t max_bytes_unwritten = std::size_t{128} << 20U;
};

} // namespace holdfast::client
