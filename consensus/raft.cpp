#include "consensus/raft.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace holdfast::consensus {

log_position majority_position(std::vector<log_position> reached) {
    HOLDFAST_CHECK(!reached.empty());
    const auto majority =
        reached.size() / 2; // the place, from the front, that more than half stand at or before
    std::nth_element(reached.begin(), reached.begin() + static_cast<std::ptrdiff_t>(majority), reached.end(),
                     std::greater<>{});
    return reached[majority];
}

raft::raft(member_name self, std::vector<member_name> members, term_number last_term)
    : self_(std::move(self)), term_(last_term), own_term_from_(std::numeric_limits<std::uint64_t>::max()) {
    for (auto& member : members)
        reached_.emplace(std::move(member), log_position{0});
    HOLDFAST_CHECK(reached_.contains(self_));
}

bool raft::campaign() {
    ++term_;
    own_term_from_ = log_position{std::numeric_limits<std::uint64_t>::max()};
    role_ = reached_.size() == 1 ? role::leader : role::follower;
    return role_ == role::leader;
}

void raft::lead_from(log_position first_end) {
    HOLDFAST_CHECK(role_ == role::leader);
    own_term_from_ = first_end;
}

bool raft::flushed(const member_name& member, log_position until) {
    const auto found = reached_.find(member);
    HOLDFAST_CHECK(found != reached_.end());
    found->second = std::max(found->second, until);
    if (role_ != role::leader)
        return false;
    std::vector<log_position> reached;
    reached.reserve(reached_.size());
    for (const auto& [name, position] : reached_)
        reached.push_back(position);
    const auto candidate = majority_position(std::move(reached));
    // An entry of an earlier term is committed only by a later one of this term (thesis 3.6.2, figure 3.7).
    if (candidate <= commit_ || candidate < own_term_from_)
        return false;
    commit_ = candidate;
    return true;
}

void raft::restore_commit(log_position position) {
    commit_ = std::max(commit_, position);
}

} // namespace holdfast::consensus
