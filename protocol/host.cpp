#include "protocol/host.hpp"

#include <charconv>

namespace holdfast::protocol {

namespace {

constexpr std::uint32_t loopback = 0x7F000001;

error bad_host(std::string_view text) {
    std::string message = "\"";
    message.append(text.substr(0, 64)).append("\" is not an IPv4 address and port such as 127.0.0.1:10911");
    return {errc::invalid_argument, std::move(message)};
}

} // namespace

result<ipv4_host> ipv4_host::parse(std::string_view text) {
    ipv4_host host;
    const char* at = text.data();
    const char* const last = at + text.size();
    for (int i = 0; i < 4; ++i) {
        std::uint32_t part = 0;
        const auto parsed = std::from_chars(at, last, part);
        const char wanted = i == 3 ? ':' : '.';
        if (parsed.ec != std::errc{} || part > 255 || parsed.ptr == last || *parsed.ptr != wanted)
            return bad_host(text);
        host.address = host.address << 8U | part;
        at = parsed.ptr + 1;
    }
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(at, last, port);
    if (parsed.ec != std::errc{} || parsed.ptr != last)
        return bad_host(text);
    host.port = port;
    return host;
}

ipv4_host ipv4_host::from_ipv6(std::span<const std::byte, 16> address, std::int32_t port) {
    const auto high = load_big<std::uint64_t>(address.data());
    const auto low = load_big<std::uint64_t>(address.data() + 8);
    if (high == 0 && low >> 32U == 0xFFFF)
        return {.address = static_cast<std::uint32_t>(low), .port = port};
    if (high == 0 && low == 1)
        return {.address = loopback, .port = port};
    return {.address = 0, .port = port};
}

std::string to_string(const ipv4_host& host) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text += std::to_string(host.address >> static_cast<unsigned>(shift) & 0xFFU);
        text += shift == 0 ? ':' : '.';
    }
    return text += std::to_string(host.port);
}

ipv4_host stored_host::to_ipv4() const {
    if (is_ipv6)
        return ipv4_host::from_ipv6(address, port);
    return {.address = load_big<std::uint32_t>(address.data()), .port = port};
}

} // namespace holdfast::protocol
