#include "actors/routes.hpp"

#include "protocol/names.hpp"

namespace holdfast::actors {
namespace {

protocol::broker_data this_broker(const session_environment& environment) {
    const auto& config = *environment.config;
    return {config.cluster_name, config.broker_name, {{config.broker_id, environment.broker_address}}};
}

} // namespace

std::optional<protocol::topic_route> route_of(const session_environment& environment,
                                              std::string_view topic) {
    const auto& config = *environment.config;
    protocol::queue_data queues;
    queues.broker_name = config.broker_name;
    if (const auto found = environment.view->find_topic(topic)) {
        queues.read_queue_count = static_cast<std::int32_t>(found->read_queues);
        queues.write_queue_count = static_cast<std::int32_t>(found->write_queues);
        queues.permission = static_cast<std::int32_t>(found->permissions & config.broker_permission);
        queues.sys_flag = static_cast<std::int32_t>(found->sys_flag);
    } else if (topic == protocol::auto_create_topic && config.auto_create_topics) {
        queues.read_queue_count = queues.write_queue_count =
            static_cast<std::int32_t>(config.default_topic_queues);
        queues.permission = protocol::permission::read_write | protocol::permission::inherit;
    } else {
        return std::nullopt;
    }
    return protocol::topic_route{{}, {queues}, {this_broker(environment)}};
}

protocol::cluster_info cluster_of(const session_environment& environment) {
    const auto& config = *environment.config;
    protocol::cluster_info info;
    info.brokers[config.broker_name] = this_broker(environment);
    info.clusters[config.cluster_name] = {config.broker_name};
    return info;
}

} // namespace holdfast::actors
