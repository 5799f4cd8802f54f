#include "config/peers.hpp"

#include "config/parse_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace holdfast::config {

namespace {

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<peer_address> parse_peer(std::string_view text) {
    const auto at = text.find('@');
    const auto colon = text.rfind(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at)
        return std::nullopt;
    const auto name = text.substr(0, at);
    const auto host = text.substr(at + 1, colon - at - 1);
    const auto port = parse_number(text.substr(colon + 1));
    if (!is_plain_name(name) || !is_host(host) || !port || *port == 0 || *port > 65'535)
        return std::nullopt;
    return peer_address{std::string{name}, std::string{host}, static_cast<std::uint16_t>(*port)};
}

} // namespace

std::optional<std::vector<peer_address>> parse_peers(std::string_view text) {
    std::vector<peer_address> peers;
    if (trim(text).empty())
        return peers;
    for (;;) {
        const auto end = text.find(',');
        auto peer = parse_peer(trim(text.substr(0, end)));
        if (!peer || peers.size() == max_group_nodes)
            return std::nullopt;
        peers.push_back(*std::move(peer));
        if (end == std::string_view::npos)
            return peers;
        text.remove_prefix(end + 1);
    }
}

std::string show_peers(const std::vector<peer_address>& peers) {
    std::string text;
    for (const auto& each : peers)
        text += fmt::format("{}{}@{}:{}", text.empty() ? "" : ",", each.name, each.host, each.port);
    return text;
}

bool is_plain_name(std::string_view text) {
    return !text.empty() && text.size() <= 127 &&
           std::all_of(text.begin(), text.end(), [](unsigned char letter) {
               return std::isalnum(letter) != 0 || letter == '_' || letter == '-';
           });
}

bool is_host(std::string_view text) {
    constexpr std::size_t longest = 253;
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char letter) {
        return std::isalnum(letter) != 0 || letter == '.' || letter == '-' || letter == '_';
    });
    if (!plain || text.empty() || text.size() > longest || text.front() == '.' || text.front() == '-')
        return false;
    const bool only_numbers = text.find_first_not_of("0123456789.") == std::string_view::npos;
    return !only_numbers || is_ipv4(text);
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || (is_ipv4(host) && parse_number(host.substr(0, host.find('.'))) == 127U);
}

} // namespace holdfast::config
