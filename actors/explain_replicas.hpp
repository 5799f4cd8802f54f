// On which nodes of the group a message is flushed, as the leader knows it: `replicas` of `holdfast explain`.
#pragma once

#include "actors/cluster_view.hpp"
#include "actors/committed_view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::actors {

struct message_replica {
    std::string node;
    // What it lacks of the log up to the message's end; 0: the message is flushed there (with ASYNC_FLUSH:
    // written). Nothing: not known, the leader has not heard of it yet.
    std::optional<std::uint64_t> behind_bytes;
    friend bool operator==(const message_replica&, const message_replica&) = default;
};

// This node, `self`, first, then the others by name. `end`: of the message's entry.
[[nodiscard]] std::vector<message_replica> replicas_of(const std::string& self, const watermarks& own,
                                                       const cluster_standing& group, log_position end);

} // namespace holdfast::actors
