// The consumer_group actor: one group. Its members and subscriptions (published for the sessions to read),
// rebalance notices, its offsets and queue locks on their way into the log, and whose commits count
// (broker/offset_fence).
#pragma once

#include "actors/group_context.hpp"
#include "actors/group_locks.hpp"
#include "actors/group_offsets.hpp"
#include "broker/group_membership.hpp"

#include <map>
#include <optional>
#include <vector>

namespace holdfast::actors {

class consumer_group_state {
  public:
    void set_up(consumer_group_actor::pointer self, std::string group,
                std::shared_ptr<const session_environment> environment);

    caf::result<bool> join(const group_member& member);
    void leave(connection_id who);
    void commit(const offsets_commit_request& request);
    void outcomes(const std::vector<batch_outcome>& outcomes);
    void tick();

    group_offsets& offsets() { return *offsets_; }
    group_locks& locks() { return *locks_; }

  private:
    struct member_entry {
        connection_ptr connection;
        protocol::client_connection described;
    };

    void forget(connection_id member);
    void changed(const broker::membership_change& change);
    void publish();
    void notify_members();
    void make_durable(std::vector<caf::typed_response_promise<bool>> waiting);
    void joins_done(const batch_outcome& outcome);
    [[nodiscard]] bool counts(const offsets_commit_request& request) const;
    void tell_members(const offsets_reset_request& reset, const queue_offsets& moved);
    void tick_later();

    group_context context_;
    broker::group_membership membership_;
    std::map<connection_id, member_entry> members_;
    std::optional<group_offsets> offsets_;
    std::optional<group_locks> locks_;

    // Joins that wait for the group and its retry topic to be in the log.
    std::map<std::uint64_t, std::vector<caf::typed_response_promise<bool>>> joins_;
    bool tick_is_due_ = false;
    caf::actor_clock::time_point last_expiry_scan_;
};

consumer_group_actor::behavior_type
consumer_group(consumer_group_actor::stateful_pointer<consumer_group_state> self, std::string group,
               std::shared_ptr<const session_environment> environment);

struct group_directory_state {
    std::map<std::string, consumer_group_actor, std::less<>> groups;
};

// Set up before the environment that it hands to the groups is complete: `environment` is asked when it is
// needed.
group_directory_actor::behavior_type
group_directory(group_directory_actor::stateful_pointer<group_directory_state> self,
                std::function<std::shared_ptr<const session_environment>()> environment);

} // namespace holdfast::actors
