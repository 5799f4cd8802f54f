// What a node must not forget besides the log: Raft's term and vote (thesis 3.4, figure 3.1 "persistent
// state"), and whose store this is. One small checksummed file, replaced atomically; docs/files.md shows its
// bytes.
#pragma once

#include "base/ids.hpp"
#include "storage/file.hpp"

#include <array>
#include <optional>
#include <string>

namespace holdfast::storage {

using store_id = std::array<std::uint8_t, 16>; // an RFC 4122 version 4 UUID

[[nodiscard]] store_id make_store_id();
[[nodiscard]] std::string to_string(const store_id& id);

struct hard_state {
    store_id id{};         // of this store; a wiped node gets another one
    std::string cluster;   // brokerClusterName it was made for
    std::string node_name; // the member it is
    term_number term;
    std::string vote; // the node voted for in `term`; empty = none
    friend bool operator==(const hard_state&, const hard_state&) = default;
};

// Nothing when the file does not exist. errc::corrupted when it is damaged: a node that doesn't know its vote
// must not take part, so this is for the operator.
result<std::optional<hard_state>> load_hard_state(file_system& files, const path& name);

// Durable when it returns without error; must come before any answer that depends on it.
result<void> save_hard_state(file_system& files, const path& name, const hard_state& state);

} // namespace holdfast::storage
