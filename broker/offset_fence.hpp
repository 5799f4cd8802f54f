// Whether a consumer's commit of an offset counts.
//
// Queues change hands, and news of the old owner comes late: taken as it is, it would send the group back, or
// let it skip what the new owner has not processed yet. Being ignored costs at most a second delivery.
#pragma once

#include <string_view>

namespace holdfast::broker {

struct commit_circumstances {
    bool by_tool = false;          // an operator's: it waits for the answer, and consumes nothing
    std::string_view client{};     // the client id under which the connection has joined; empty: not yet
    std::string_view lock_owner{}; // whose lock on the queue is alive; empty: nobody's
    // Which connection pulled the queue last, as far as it is still a member.
    bool owner_is_known = false;
    bool by_owner = false;
    bool is_reset = false;       // an operator moved the offset, and the consumer has not followed yet
    bool behind_the_end = false; // of the queue: it speaks of messages that never were, in another topic of
                                 // that name
};

// A consumer that comes back on a new connection commits every few seconds, but joins again half a minute
// later: until then the queue may have become another's, as for any member.
[[nodiscard]] constexpr bool commit_counts(const commit_circumstances& when) {
    if (when.by_tool)
        return true;
    if (when.is_reset || when.behind_the_end)
        return false;
    if (!when.lock_owner.empty())
        return when.client == when.lock_owner;
    return !when.owner_is_known || when.by_owner;
}

} // namespace holdfast::broker
