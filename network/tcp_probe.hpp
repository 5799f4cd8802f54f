// Whether somebody accepts connections at an address, asked with a deadline.
//
// For those who hand an address to a library whose connect() has none: an address that answers nothing at all
// would hold it for two minutes.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast::network {

// Connects and closes at once. Blocks up to the timeout (and for as long as a name takes to be resolved).
result<void> probe_tcp(const std::string& host, std::uint16_t port, std::chrono::milliseconds timeout);

} // namespace holdfast::network
