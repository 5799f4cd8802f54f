// What the log and the derived store keep for Raft.
//
// The payload of a members command, the group's configuration from its entry on (thesis 4.1):
//
//   u16 count, then by member: name, incarnation (each u16 length and bytes)      little-endian
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "consensus/message.hpp"

#include <string>
#include <vector>

namespace holdfast::broker {

inline constexpr std::size_t most_members = 15;

[[nodiscard]] std::string encode(const std::vector<consensus::member>& members);
result<std::vector<consensus::member>> decode_members(byte_view bytes);

// Those of the last members command in a verified entry that has members_flag; empty when it has none after
// all.
[[nodiscard]] std::vector<consensus::member> members_in(byte_view entry);

// Which term wrote what, in the derived store: u64 position and u64 term, again and again.
[[nodiscard]] std::string encode_runs(const consensus::term_runs& runs);
[[nodiscard]] consensus::term_runs decode_runs(byte_view bytes);

} // namespace holdfast::broker
