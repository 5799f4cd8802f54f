// The other nodes of a replica group, as the setting `peers` names them.
#pragma once

#include "config/node_config.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// Nodes of one replica group, this one included. More would cost every send another copy and tolerate no
// failure that a person could not repair in time.
inline constexpr std::size_t max_group_nodes = 7;

// "a@10.0.0.1:10912, b@node-b:10912": blanks around the parts are fine, the empty text is no peers. At most
// max_group_nodes; names as nodeName allows; ports from 1. Whether two of them are the same is not looked at.
[[nodiscard]] std::optional<std::vector<peer_address>> parse_peers(std::string_view text);
[[nodiscard]] std::string show_peers(const std::vector<peer_address>& peers);

// What may stand in a node's, broker's or cluster's name: 1 to 127 letters, digits, '_' or '-'.
[[nodiscard]] bool is_plain_name(std::string_view text);

// An IPv4 address or a DNS name. What looks like an address must be one: "10.0.0.256" is no name.
[[nodiscard]] bool is_host(std::string_view text);

// 127.0.0.0/8 or localhost. Other names may mean any machine: no.
[[nodiscard]] bool is_loopback(std::string_view host);

} // namespace holdfast::config
