// A consumer_group's offsets on their way into the log.
//
// Commits are coalesced: the last one for a queue wins, and all of them go into one command. Commits that
// nobody waits for go in when the interval is over; one that is waited for goes in at once and is answered
// when it is durable. A reset is an entry of its own, behind whatever is under way; until it is durable no
// member's commit for its queues counts.
#pragma once

#include "actors/group_context.hpp"

#include <functional>
#include <map>
#include <vector>

namespace holdfast::actors {

class group_offsets {
  public:
    using reset_done = std::function<void(const offsets_reset_request&, const queue_offsets& moved)>;

    // `moved` is told of every reset that is durable.
    group_offsets(group_context& context, reset_done moved) : context_(context), moved_(std::move(moved)) {}

    void commit(const offsets_commit_request& request);
    // What nobody else may change now: it is being reset.
    [[nodiscard]] bool is_resetting(queue_key queue) const { return resetting_.contains(queue); }
    // Answers, when they are durable, with the offsets that the queues have then.
    caf::result<queue_offsets_ptr> reset(const offsets_reset_request_ptr& request);
    // The newest offset, on its way or stored, or no_offset_in_*.
    [[nodiscard]] std::int64_t query(queue_key queue) const;

    // Whether the outcome was one of these commits'.
    bool outcome(const batch_outcome& outcome);
    // Whether something waits for the next flush.
    [[nodiscard]] bool gathers() const { return !gathering_.empty(); }
    void flush();
    // Flushes, and answers when everything that was committed is durable; from now on nothing gathers.
    caf::result<drained_atom> drain();

  private:
    struct waiting_commit {
        connection_ptr connection;
        protocol::answer_to answer;
    };
    struct pending_reset {
        offsets_reset_request_ptr request;
        queue_offsets moved;                  // those that change
        std::shared_ptr<queue_offsets> after; // all that were asked for
        caf::typed_response_promise<queue_offsets_ptr> promise;
    };
    struct reset_target {
        queue_offset to;
        std::uint64_t ticket = 0;
    };

    void flushed(const batch_outcome& outcome);
    void finish_draining();

    group_context& context_;
    reset_done moved_;
    std::map<queue_key, queue_offset> gathering_;
    std::map<queue_key, queue_offset> in_flight_;
    std::vector<waiting_commit> gathering_waiters_;
    std::vector<waiting_commit> in_flight_waiters_;
    std::uint64_t ticket_ = 0; // 0: none under way
    std::map<std::uint64_t, pending_reset> resets_;
    std::map<queue_key, reset_target> resetting_;
    std::vector<caf::typed_response_promise<drained_atom>> drained_;
    bool draining_ = false;
};

} // namespace holdfast::actors
