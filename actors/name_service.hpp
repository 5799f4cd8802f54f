// The name_service actor: answers what clients ask a RocketMQ name server (protocol reference 3.1), from the
// committed view of this node. There is no name server to run and no registration: a topic has a route as
// soon as it is committed.
//
// A node that is being fed, lags behind its leader, was deposed, or has known no leader for long, does not
// say that there is no such topic, nor gives a route without a leader. One that stood still says nothing of
// leaders before it has looked around. It closes the connection: clients then ask the next of their name
// servers, where a code would keep them here, or have them create the topic with the defaults.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"

namespace holdfast::actors {

// Whether a name server answers this code.
[[nodiscard]] bool is_name_service_code(protocol::request_code code);

class name_service_state {
  public:
    void set_up(std::shared_ptr<const session_environment> environment) {
        environment_ = std::move(environment);
    }
    void frames(const admin_job& job);

  private:
    // False: there is no answer that would be true, and the connection is to be closed.
    bool answer(const network::connection& from, byte_buffer& out);
    bool route(const network::connection& from, byte_buffer& out);
    [[nodiscard]] bool is_outdated() const;
    [[nodiscard]] bool knows_little() const;
    void topic_list(byte_buffer& out);
    void refuse(const network::connection& from, protocol::response_code code, std::string_view remark,
                byte_buffer& out);

    std::shared_ptr<const session_environment> environment_;
    protocol::remoting_command command_;
};

name_service_actor::behavior_type
name_service(name_service_actor::stateful_pointer<name_service_state> self,
             std::function<std::shared_ptr<const session_environment>()> environment);

} // namespace holdfast::actors
