// Addresses as they stand in stored messages and message ids (protocol reference 5.1, 5.5, T13).
//
// C++ and Node clients read 4-byte hosts whatever the flags say, so only IPv4 is ever written; IPv6 is
// understood when it is read.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <array>
#include <compare>
#include <string>

namespace holdfast::protocol {

struct ipv4_host {
    std::uint32_t address = 0; // 127.0.0.1 is 0x7F000001
    std::int32_t port = 0;

    // Of "127.0.0.1:10911". Names are not resolved.
    [[nodiscard]] static result<ipv4_host> parse(std::string_view text);
    // What is stored for a peer with a 16-byte address: ::ffff:a.b.c.d is a.b.c.d, ::1 is 127.0.0.1, and
    // another IPv6 address, which these fields can't hold, is 0.0.0.0.
    [[nodiscard]] static ipv4_host from_ipv6(std::span<const std::byte, 16> address, std::int32_t port);

    friend auto operator<=>(const ipv4_host&, const ipv4_host&) = default;
};
// "127.0.0.1:10911"
[[nodiscard]] std::string to_string(const ipv4_host& host);

// A host that was read; the first 4 bytes count when it is IPv4.
struct stored_host {
    std::array<std::byte, 16> address{};
    std::int32_t port = 0;
    bool is_ipv6 = false;

    [[nodiscard]] ipv4_host to_ipv4() const;
    friend bool operator==(const stored_host&, const stored_host&) = default;
};

} // namespace holdfast::protocol
