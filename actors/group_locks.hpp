// A consumer_group's queue locks on their way into the log, and their answers (protocol reference 3.5, 6.9).
//
// Who may have a lock is decided by broker/lock_keeper. Requests that come while changes are on their way
// wait for them and then go into the log together; what is answered is durable.
#pragma once

#include "actors/group_context.hpp"
#include "broker/lock_keeper.hpp"

#include <deque>
#include <vector>

namespace holdfast::actors {

class group_locks {
  public:
    explicit group_locks(group_context& context);

    void request(const queue_lock_request_ptr& request);
    // Whether the outcome was one of these changes'.
    bool outcome(const batch_outcome& outcome);
    // The client whose lock on the queue is alive; empty: nobody's.
    [[nodiscard]] std::string holder(queue_key queue) const { return keeper_.holder(queue, context_.now()); }
    void tidy() { keeper_.tidy(); }

  private:
    void serve();
    void answer_all(const std::optional<error>& failure);
    void answer(const queue_lock_request& request, const std::optional<error>& failure);

    group_context& context_;
    broker::lock_keeper keeper_;
    std::deque<queue_lock_request_ptr> waiting_;
    std::vector<queue_lock_request_ptr> under_way_;
    std::uint64_t ticket_ = 0; // 0: nothing is under way
};

} // namespace holdfast::actors
