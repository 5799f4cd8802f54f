#include "client/endpoint.hpp"

#include <charconv>

namespace holdfast::client {

result<endpoint> endpoint::parse(std::string_view text) {
    const auto refuse = [&](const char* why) {
        return error{errc::invalid_argument, "'" + std::string{text} + "' is not an address: " + why +
                                                 "; write host:port, as 127.0.0.1:9876"};
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return refuse("the port is missing");
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return refuse("an IPv6 address needs [brackets]");
    if (host.empty())
        return refuse("the host is missing");
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failure != std::errc{} || end != digits.data() + digits.size() || port == 0)
        return refuse("the port is no number from 1 to 65535");
    return endpoint{std::string{host}, port};
}

result<std::vector<endpoint>> endpoint::parse_list(std::string_view text) {
    std::vector<endpoint> all;
    while (!text.empty()) {
        const auto semicolon = text.find(';');
        const std::string_view one = text.substr(0, semicolon);
        text = semicolon == std::string_view::npos ? std::string_view{} : text.substr(semicolon + 1);
        if (one.empty())
            continue;
        auto parsed = parse(one);
        if (!parsed)
            return parsed.failure();
        all.push_back(std::move(*parsed));
    }
    if (all.empty())
        return error{errc::invalid_argument, "no address is given; write host:port, as 127.0.0.1:9876"};
    return all;
}

std::string endpoint::text() const {
    std::string text;
    const bool six = host.find(':') != std::string::npos;
    if (six)
        text += '[';
    text += host;
    if (six)
        text += ']';
    text += ':';
    text += std::to_string(port);
    return text;
}

} // namespace holdfast::client
