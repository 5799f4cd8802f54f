#include "actors/name_service.hpp"

#include "actors/answer_chunks.hpp"
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/routes.hpp"
#include "protocol/admin_bodies.hpp"
#include "protocol/cluster_status.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

bool is_name_service_code(request_code code) {
    switch (code) {
    case request_code::get_route_info_by_topic:
    case request_code::get_broker_cluster_info:
    case request_code::get_all_topic_list_from_name_server:
    case request_code::get_topics_by_cluster:
    case request_code::get_system_topic_list_from_name_server:
    case request_code::delete_topic_in_name_server:
    case request_code::get_kv_config:
    case request_code::get_kv_list_by_namespace:
    case request_code::cluster_status:
        return true;
    default:
        return false;
    }
}

void name_service_state::frames(const admin_job& job) {
    byte_buffer out;
    bool knows = true;
    for (const auto index : job.frames->chosen) {
        if (knows && decode_frame(job.frames->frames, index, *job.connection, command_))
            knows = answer(*job.connection, out);
        if (out.size() > limits::answer_chunk_bytes && !send_chunk(*job.connection, out))
            return;
    }
    if (!out.empty())
        job.connection->send(out.release());
    if (!knows)
        job.connection->close_after_flush("asked for a route that this node can't know now: it has no "
                                          "leader, or does not have all that its leader has");
}

bool name_service_state::answer(const network::connection& from, byte_buffer& out) {
    const auto to = protocol::answer_to::of(command_);
    const auto succeed = [&](const std::string& body) { protocol::append_success(out, to, as_bytes(body)); };
    switch (command_.request()) {
    case request_code::get_route_info_by_topic:
        return route(from, out);
    case request_code::get_broker_cluster_info:
        if (is_outdated())
            return false;
        succeed(protocol::encode_cluster_info(cluster_of(*environment_)));
        break;
    case request_code::get_all_topic_list_from_name_server:
    case request_code::get_topics_by_cluster:
        topic_list(out);
        break;
    case request_code::get_system_topic_list_from_name_server: {
        const auto& config = *environment_->config;
        const protocol::topic_list list{{config.cluster_name, config.broker_name},
                                        environment_->broker_address};
        succeed(protocol::encode_topic_list(list));
        break;
    }
    case request_code::cluster_status:
        succeed(protocol::encode_cluster_status(status_of(*environment_)));
        break;
    case request_code::delete_topic_in_name_server:
        // Routes come from the broker's topics: with the topic deleted there (215) nothing is left to do
        // here.
        protocol::append_success(out, to);
        break;
    default:
        refuse(from, response_code::query_not_found, "this name service keeps no key-value configuration",
               out);
    }
    return true;
}

bool name_service_state::route(const network::connection& from, byte_buffer& out) {
    const auto request = protocol::decode_header<protocol::get_route_info_request>(command_);
    if (!request.ok()) {
        refuse(from, response_code::system_error, request.failure().message, out);
        return true;
    }
    const auto route = route_of(*environment_, request->topic);
    const bool names_leader = route && route->brokers.front().addresses.contains(0);
    if (is_outdated() || (!names_leader && knows_little()))
        return false;
    if (route)
        protocol::append_success(out, protocol::answer_to::of(command_),
                                 as_bytes(protocol::encode_route(*route)));
    else
        refuse(from, response_code::topic_not_exist,
               "No topic route info in name server for the topic: " + std::string{request->topic}, out);
    return true;
}

// A node that stood still finds the questions of that time, and itself as the leader of then.
bool name_service_state::is_outdated() const {
    return environment_->cluster != nullptr &&
           cluster_view::clock::now() - environment_->cluster->now().as_of >
               environment_->config->election_timeout;
}

// While an election is under way a route without a leader is true, and clients ask again.
bool name_service_state::knows_little() const {
    if (environment_->cluster == nullptr)
        return false;
    const auto standing = environment_->cluster->now();
    return standing.is_lagging || standing.leaderless_for > environment_->config->election_timeout;
}

void name_service_state::topic_list(byte_buffer& out) {
    protocol::topic_list list;
    for (const auto& topic : environment_->view->topics())
        list.topics.push_back(topic->name);
    protocol::append_success(out, protocol::answer_to::of(command_),
                             as_bytes(protocol::encode_topic_list(list)));
}

void name_service_state::refuse(const network::connection& from, response_code code, std::string_view remark,
                                byte_buffer& out) {
    spdlog::debug("{} refused request {} with code {}: {}", from.peer().text, command_.code(),
                  static_cast<int>(code), remark);
    protocol::append_failure(out, protocol::answer_to::of(command_), code, remark);
}

name_service_actor::behavior_type
name_service(name_service_actor::stateful_pointer<name_service_state> self,
             std::function<std::shared_ptr<const session_environment>()> environment) {
    return {[self, environment](frames_atom, const admin_job_ptr& job) {
        self->state.set_up(environment());
        self->state.frames(*job);
    }};
}

} // namespace holdfast::actors
