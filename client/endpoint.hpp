// A host and a port, as text and parsed: `127.0.0.1:9876`.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::client {

struct endpoint {
    std::string host;
    std::uint16_t port = 0;
    friend auto operator<=>(const endpoint&, const endpoint&) = default;

    // `host:port`; the host may be a name, an IPv4 address or an IPv6 address in [brackets].
    static result<endpoint> parse(std::string_view text);
    // Several, separated by ';'; at least one.
    static result<std::vector<endpoint>> parse_list(std::string_view text);
    [[nodiscard]] std::string text() const;
};

} // namespace holdfast::client
