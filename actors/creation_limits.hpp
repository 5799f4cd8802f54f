// How many topics and groups there may be, whoever makes them: a send, a heartbeat, a message that is sent
// back or an operator.
#pragma once

#include "actors/session_environment.hpp"

namespace holdfast::actors {

// Why this topic can't be made; nothing when it is there already, or one more may be.
[[nodiscard]] inline std::optional<broker::refusal> no_room_for_topic(const session_environment& environment,
                                                                      std::string_view name) {
    const auto& view = *environment.view;
    if (view.topic_count() < environment.max_topics || view.find_topic(name))
        return std::nullopt;
    return broker::refusal{
        protocol::response_code::system_error,
        "the topic " + std::string{name} + " can't be made: this broker has its limit of " +
            std::to_string(environment.max_topics) + " topics; delete some that nobody needs"};
}

// The same for a group.
[[nodiscard]] inline std::optional<broker::refusal> no_room_for_group(const session_environment& environment,
                                                                      std::string_view name) {
    const auto& view = *environment.view;
    if (view.group_count() < environment.max_groups || view.find_group(name))
        return std::nullopt;
    return broker::refusal{
        protocol::response_code::system_error,
        "the group " + std::string{name} + " can't be made: this broker has its limit of " +
            std::to_string(environment.max_groups) + " groups; delete some that nobody needs"};
}

} // namespace holdfast::actors
