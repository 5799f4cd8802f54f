// The fake broker as one of several nodes.
#include "tests/client/fake_broker.hpp"

#include "tests/client/fake_session.hpp"

namespace holdfast::client::testing {

using protocol::answer_to;
using protocol::request_code;

void fake_broker::follow(const std::string& leader) {
    const std::lock_guard lock{mutex_};
    leader_ = leader;
}

void fake_broker::suggest(std::int64_t id, const std::string& follower) {
    const std::lock_guard lock{mutex_};
    suggested_ = id;
    follower_ = follower;
}

void fake_broker::serve_reads() {
    const std::lock_guard lock{mutex_};
    serves_reads_ = true;
}

void fake_broker::copy_state_of(const fake_broker& other) {
    const std::scoped_lock lock{mutex_, other.mutex_};
    topics_ = other.topics_;
    logs_ = other.logs_;
    offsets_ = other.offsets_;
    halves_ = other.halves_;
    locks_ = other.locks_;
    position_ = other.position_;
}

// False: it is for any node.
bool fake_broker::serve_as_follower(const session_ptr& session, const protocol::remoting_command& command) {
    if (serves_reads_ && command.request() == request_code::pull_message)
        return false;
    byte_buffer out;
    switch (command.request()) {
    case request_code::get_route_info_by_topic:
    case request_code::get_broker_cluster_info:
    case request_code::get_all_topic_list_from_name_server:
        return false;
    case request_code::heart_beat:
    case request_code::unregister_client:
        protocol::append_success(out, answer_to::of(command));
        break;
    case request_code::query_consumer_offset:
    case request_code::search_offset_by_timestamp:
    case request_code::get_max_offset:
    case request_code::get_min_offset:
        session->close();
        return true;
    default:
        protocol::append_failure(out, answer_to::of(command), protocol::response_code::service_not_available,
                                 "this node does not lead");
    }
    if (!command.is_oneway())
        session->write(out.view());
    return true;
}

} // namespace holdfast::client::testing
