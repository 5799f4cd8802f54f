// Raft without I/O, so far for what a group of one needs: leadership in a term, and the commit rule.
//
// Indexes are byte positions in the log (the end of an entry), which order entries as Raft's indexes do. What
// is here is already the group's rule for any number of members: an entry is committed when a majority has
// flushed it and it belongs to the leader's own term (thesis 3.6.2). Elections between several members are
// the next step; a member that is alone in its group wins at once.
#pragma once

#include "base/ids.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace holdfast::consensus {

using member_name = std::string;

enum class role : std::uint8_t { follower, leader };

// The greatest position that a majority of members has reached. `reached` holds one position a member.
[[nodiscard]] log_position majority_position(std::vector<log_position> reached);

class raft {
  public:
    raft(member_name self, std::vector<member_name> members, term_number last_term);

    // Starts an election (thesis 3.4): the next term, with a vote for itself. The caller must make term()
    // durable before it acts on it. Returns whether the election is already won, as it is for a group of one.
    bool campaign();
    // The leadership's first entry ends here: only entries of this term commit by counting (thesis 3.6.2).
    void lead_from(log_position first_end);

    // A member has this much of the log on its disk. Returns true when commit() moved.
    bool flushed(const member_name& member, log_position until);

    [[nodiscard]] role current_role() const { return role_; }
    [[nodiscard]] term_number term() const { return term_; }
    [[nodiscard]] log_position commit() const { return commit_; }
    // Everything below is known to be committed from before (the derived store's applied position).
    void restore_commit(log_position position);

  private:
    member_name self_;
    std::map<member_name, log_position> reached_;
    term_number term_;
    role role_ = role::follower;
    log_position commit_;
    log_position own_term_from_; // end of the leadership's first entry
};

} // namespace holdfast::consensus
