// What the parts of a consumer_group actor share: who they are, and the way into the log.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"

#include <memory>
#include <string>
#include <utility>

namespace holdfast::actors {

// What is stored, or no_offset_in_*.
[[nodiscard]] inline std::int64_t stored_offset(const committed_view& view, std::string_view group,
                                                queue_key queue) {
    if (const auto stored = view.offset(group, queue))
        return stored->value();
    return view.has_offset_in(group, queue.topic) ? no_offset_in_queue : no_offset_in_topic;
}

struct group_context {
    consumer_group_actor::pointer self = nullptr;
    std::string group;
    std::shared_ptr<const session_environment> environment;
    std::uint64_t last_ticket = 0;

    // The outcome comes back to the actor, under the ticket that is returned.
    std::uint64_t append(broker::entry_draft draft) {
        auto request = std::make_shared<append_request>();
        request->draft = std::move(draft);
        request->ticket = ++last_ticket;
        request->appender = self;
        self->send(environment->log, append_atom::value, std::move(request));
        return last_ticket;
    }
    [[nodiscard]] caf::actor_clock::time_point now() const { return self->clock().now(); }
};

} // namespace holdfast::actors
