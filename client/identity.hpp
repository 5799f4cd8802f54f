// Who this process is on the network, for client ids and message ids (protocol reference 5.5, 6.13).
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::client {

// The first IPv4 address that is not loopback, else 127.0.0.1; in host order.
[[nodiscard]] std::uint32_t local_ipv4_address();
// `ip@pid#time#number`: unique among the clients of all processes.
[[nodiscard]] std::string make_client_id(std::uint32_t ipv4_address);
// For protocol::unique_key_generator.
[[nodiscard]] std::uint32_t random_salt();

} // namespace holdfast::client
