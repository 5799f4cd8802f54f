#include "actors/explain_replicas.hpp"

#include <algorithm>

namespace holdfast::actors {

std::vector<message_replica> replicas_of(const std::string& self, const watermarks& own,
                                         const cluster_standing& group, log_position end) {
    const auto lacks = [end](log_position has) { return end - std::min(has, end); };
    std::vector<message_replica> found{{self, lacks(own.flushed)}};
    for (const auto& [name, follower] : group.followers) {
        const bool is_known = follower.matched > log_position{0};
        found.push_back({name, is_known ? std::optional{lacks(follower.matched)} : std::nullopt});
    }
    return found;
}

} // namespace holdfast::actors
