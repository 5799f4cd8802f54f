// Whether a consumer's commit of an offset counts.
//
// Queues change hands, and news of the old owner comes late: taken as it is, it would send the group back, or
// let it skip what the new owner has not processed yet. Being ignored costs at most a second delivery.
#pragma once

#include <string_view>

namespace holdfast::broker {

struct commit_circumstances {
    bool by_member = false;        // the connection has joined the group
    std::string_view client{};     // the member's client id
    std::string_view lock_owner{}; // whose lock on the queue is alive; empty: nobody's
    // Which connection pulled the queue last, as far as it is still a member.
    bool owner_is_known = false;
    bool by_owner = false;
    bool is_reset = false;       // an operator moved the offset, and the consumer has not followed yet
    bool behind_the_end = false; // of the queue: it speaks of messages that never were, in another topic of
                                 // that name
};

// Whoever has not joined the group is an operator's tool and may say anything.
[[nodiscard]] constexpr bool commit_counts(const commit_circumstances& when) {
    if (!when.by_member)
        return true;
    if (when.is_reset || when.behind_the_end)
        return false;
    if (!when.lock_owner.empty())
        return when.client == when.lock_owner;
    return !when.owner_is_known || when.by_owner;
}

} // namespace holdfast::broker
