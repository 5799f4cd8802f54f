// What a pull asks for, checked in RocketMQ's order and clamped (protocol reference 3.3; traps T17, T18).
// Used by consumer_session and by readers.
#pragma once

#include "actors/pull_reader.hpp"
#include "actors/session_environment.hpp"
#include "broker/message_intake.hpp"
#include "protocol/tags.hpp"

#include <chrono>
#include <optional>

namespace holdfast::actors {

struct checked_pull {
    pull_range range;
    protocol::tag_filter filter;
    std::chrono::milliseconds hold{0}; // how long it may wait for a message
};

// How long such a pull may wait for a message; 0: not at all.
[[nodiscard]] std::chrono::milliseconds hold_of(const protocol::pull_message_request& request,
                                                const config::node_config& config);

// Nothing when it is refused; `refused` then says how. `heard`: what a pull without an expression of its own
// selects, where it is not what the group has registered.
std::optional<checked_pull> check_pull(const protocol::pull_message_request& request,
                                       const session_environment& environment, broker::refusal& refused,
                                       const protocol::tag_filter* heard = nullptr);

} // namespace holdfast::actors
