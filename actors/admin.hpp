// The admin actor: mqadmin's and the CLI's requests to the broker (protocol reference 3.7, 10). Changes of
// topics and groups are entries of the log and are answered when they are durable; everything else is read
// from the view.
//
// Every code that nobody else handles ends here too, with REQUEST_CODE_NOT_SUPPORTED.
#pragma once

#include "actors/group_admin.hpp"
#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "broker/message_intake.hpp"

#include <map>

namespace holdfast::actors {

class admin_state {
  public:
    void set_up(admin_actor::pointer self,
                std::function<std::shared_ptr<const session_environment>()> environment);

    // Protocol reference 6.2: topics that clients and tools expect to have a route.
    void make_builtin_topics();
    void frames(const admin_job& job);
    void outcomes(const std::vector<batch_outcome>& outcomes);

  private:
    struct change {
        connection_ptr connection;
        protocol::answer_to answer;
        bool oneway = false;
        std::string what; // for the log, when it is done
    };

    void dispatch(const connection_ptr& from);
    void put_topic(const connection_ptr& from);
    void delete_topic(const connection_ptr& from);
    void put_group(const connection_ptr& from);
    void delete_group(const connection_ptr& from);
    void all_topics();
    void all_groups();
    void topic_stats();
    void consume_stats();
    void consumer_connections();
    void topic_consumers();
    void runtime_info();
    void system_topics();

    template <class Request>
    std::optional<Request> decode();
    void append(const connection_ptr& from, broker::entry_draft draft, std::string what);
    void remember_environment();
    void succeed(const std::string& body);
    void refuse(protocol::response_code code, std::string_view remark);
    [[nodiscard]] std::optional<broker::refusal> check_topic_change(std::string_view topic) const;

    admin_actor::pointer self_ = nullptr;
    std::function<std::shared_ptr<const session_environment>()> find_environment_;
    std::shared_ptr<const session_environment> environment_;
    std::optional<group_admin> group_progress_;
    protocol::remoting_command command_;
    byte_buffer answers_;
    std::map<std::uint64_t, change> changes_;
    std::uint64_t next_ticket_ = 1;
    timestamp_ms started_;
};

admin_actor::behavior_type admin(admin_actor::stateful_pointer<admin_state> self,
                                 std::function<std::shared_ptr<const session_environment>()> environment);

} // namespace holdfast::actors
