// What operators ask about the progress of consumer groups (protocol reference 3.7, 4.3): resetting a group's
// offsets by time or to an offset (222), copying them from group to group (314), and all of them (43).
//
// Part of the admin actor. A reset is answered when it is durable; the members then hear of it from their
// consumer_group.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "broker/message_intake.hpp"

#include <deque>

namespace holdfast::actors {

class group_admin {
  public:
    group_admin(admin_actor::pointer self, std::shared_ptr<const session_environment> environment)
        : self_(self), environment_(std::move(environment)) {}

    // Whether the request is one of these; then it answers the connection itself, now or later.
    bool handle(const connection_ptr& from, const protocol::remoting_command& command);

  private:
    // Whom to answer, and the resets to carry out before that, one after the other.
    struct job {
        connection_ptr connection;
        protocol::answer_to answer;
        bool oneway = false;
        std::deque<std::shared_ptr<offsets_reset_request>> resets;
        std::size_t searches = 0; // under way
        std::string failure;
        protocol::queue_offset_table table; // the queues' offsets now
        bool answers_table = false;
        std::string what; // for the log, when it is done
    };
    using job_ptr = std::shared_ptr<job>;
    template <class Request>
    std::optional<Request> decode(const job_ptr& asked, const protocol::remoting_command& command);

    void reset(const job_ptr& asked, const protocol::remoting_command& command);
    void search(const job_ptr& asked, timestamp_ms time);
    void clone(const job_ptr& asked, const protocol::remoting_command& command);
    void all_offsets(const job_ptr& asked);
    void carry_out(const job_ptr& asked);
    void finish(const job_ptr& asked);
    [[nodiscard]] bool is_known(std::string_view group) const;
    static void answer(const job_ptr& asked, const std::string& body);
    static void refuse(const job_ptr& asked, protocol::response_code code, std::string_view remark);

    admin_actor::pointer self_;
    std::shared_ptr<const session_environment> environment_;
};

} // namespace holdfast::actors
