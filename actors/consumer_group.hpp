// The consumer_group actor: one group. Its members and subscriptions (published for the sessions to read),
// rebalance notices, and its offsets on their way into the log.
//
// Offset commits are coalesced: the last one for a queue wins, and all of them go into one command. Commits
// that nobody waits for go in when the interval is over; one that is waited for goes in at once and is
// answered when it is durable.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "broker/group_membership.hpp"

#include <map>
#include <vector>

namespace holdfast::actors {

class consumer_group_state {
  public:
    void set_up(consumer_group_actor::pointer self, std::string group,
                std::shared_ptr<const session_environment> environment);

    caf::result<bool> join(const group_member& member);
    void leave(connection_id who);
    void commit(const offsets_commit_request& request);
    [[nodiscard]] std::int64_t query(queue_key queue) const;
    void outcomes(const std::vector<batch_outcome>& outcomes);
    void tick();

  private:
    struct waiting_commit {
        connection_ptr connection;
        protocol::answer_to answer;
    };
    struct member_entry {
        connection_ptr connection;
        protocol::client_connection described;
    };

    void changed(const broker::membership_change& change);
    void publish();
    void notify_members();
    void make_durable(std::vector<caf::typed_response_promise<bool>> waiting);
    void append_offsets();
    void offsets_done(const batch_outcome& outcome);

    consumer_group_actor::pointer self_ = nullptr;
    std::string group_;
    std::shared_ptr<const session_environment> environment_;
    broker::group_membership membership_;
    std::map<connection_id, member_entry> members_;

    std::map<queue_key, queue_offset> gathering_;
    std::map<queue_key, queue_offset> in_flight_;
    std::vector<waiting_commit> gathering_waiters_;
    std::vector<waiting_commit> in_flight_waiters_;
    std::uint64_t offsets_ticket_ = 0; // 0: none under way

    // Joins that wait for the group and its retry topic to be in the log.
    std::map<std::uint64_t, std::vector<caf::typed_response_promise<bool>>> joins_;
    std::uint64_t next_ticket_ = 1;
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
