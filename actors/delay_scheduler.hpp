// The delay scheduler actor: gives delayed messages to their queues when they are due, and cancels them
// (370). Detached, because the table of what waits is on the disk (storage/delay_index.hpp).
//
// One entry of the log is under way at a time: whatever it does, it does on the table as it is.
//
// What is due is what is not later than this broker's clock and not later than the log's own time. So nothing
// that is appended while a delivery is under way can be due before it. When the log is silent its time stands
// still; an empty entry then moves it on.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/recall_handle.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace holdfast::actors {

class delay_scheduler_state {
  public:
    void set_up(delay_scheduler_actor::pointer self, std::shared_ptr<const session_environment> environment);
    void tick();
    void frames(const admin_job& job);
    void outcomes(const std::vector<batch_outcome>& outcomes);

  private:
    // A message that is to be called back; it is under way when it is at the front.
    struct recall {
        connection_ptr connection;
        protocol::answer_to to;
        protocol::recall_handle handle;
    };

    void work();
    // Whether an entry is under way now.
    bool start_recall(const recall& wanted);
    bool deliver();
    void append(broker::entry_draft draft);
    result<std::optional<storage::delayed_message>> find(const recall& wanted);
    void answer(const recall& asked, protocol::response_code code, std::string_view why);

    delay_scheduler_actor::pointer self_ = nullptr;
    std::shared_ptr<const session_environment> environment_;
    protocol::remoting_command command_;
    std::deque<recall> recalls_;
    std::uint64_t next_ticket_ = 1;
    bool under_way_ = false;
    bool recalling_ = false; // what is under way is the cancellation of the front of `recalls_`
    // Nothing in the derived store is due before; what came since the last checkpoint is looked at anyway.
    timestamp_ms quiet_until_{0};
    timestamp_ms rest_until_{0}; // after a failure
};

delay_scheduler_actor::behavior_type
delay_scheduler(delay_scheduler_actor::stateful_pointer<delay_scheduler_state> self,
                std::shared_ptr<const session_environment> environment);

} // namespace holdfast::actors
