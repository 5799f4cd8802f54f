#include "actors/pull_check.hpp"

#include "actors/limits.hpp"
#include "protocol/names.hpp"

#include <algorithm>

namespace holdfast::actors {
namespace {

using protocol::response_code;

std::optional<broker::refusal> check_group(std::string_view name, const session_environment& environment) {
    const auto& config = *environment.config;
    if ((config.broker_permission & broker::permission::read) == 0)
        return broker::refusal{response_code::no_permission,
                               "this broker may not be read: brokerPermission has no read bit"};
    // A pull may carry an offset to store: the name goes into the log.
    if (const auto named = protocol::check_group_name(name); !named.ok())
        return broker::refusal{response_code::system_error, named.failure().message};
    const auto group = environment.view->find_group(name);
    if (!group && !config.auto_create_groups && !protocol::is_system_group(name))
        return broker::refusal{response_code::subscription_group_not_exist,
                               "the consumer group " + std::string{name} +
                                   " does not exist; create it, or set autoCreateSubscriptionGroup = true"};
    if (group && !group->consume_enable)
        return broker::refusal{response_code::no_permission,
                               "the consumer group " + group->name + " is switched off"};
    return std::nullopt;
}

std::optional<broker::refusal> check_topic(const protocol::pull_message_request& request,
                                           const broker::topic_ptr& topic) {
    if (!topic)
        return broker::refusal{response_code::topic_not_exist,
                               "the topic " + std::string{request.topic} + " does not exist"};
    if (!topic->readable())
        return broker::refusal{response_code::no_permission, "the topic " + topic->name + " may not be read"};
    if (request.queue.value() >= topic->read_queues)
        return broker::refusal{response_code::system_error,
                               "queueId " + std::to_string(request.queue.value()) + " is outside the topic " +
                                   topic->name + ", which has " + std::to_string(topic->read_queues) +
                                   " queues to read"};
    return std::nullopt;
}

// The expression that came with the pull, or the one that the group's heartbeats registered.
std::optional<broker::refusal> find_filter(const protocol::pull_message_request& request,
                                           const session_environment& environment,
                                           const protocol::tag_filter* heard, protocol::tag_filter& filter) {
    if (request.has(protocol::pull_flag::subscription)) {
        if (!request.expression_type.empty() && request.expression_type != "TAG")
            return broker::refusal{response_code::system_error, "this broker filters by tag only, not by " +
                                                                    std::string{request.expression_type}};
        auto parsed = protocol::tag_filter::parse(request.subscription);
        if (!parsed.ok())
            return broker::refusal{response_code::subscription_parse_failed, parsed.failure().message};
        filter = std::move(*parsed);
        return std::nullopt;
    }
    if (heard != nullptr) {
        filter = *heard;
        return std::nullopt;
    }
    const auto members = environment.groups->find(request.consumer_group);
    if (!members)
        return broker::refusal{response_code::subscription_not_exist,
                               "the consumer group " + std::string{request.consumer_group} +
                                   " has no member here yet: its first heartbeat registers it"};
    const auto subscription = members->subscriptions.find(request.topic);
    if (subscription == members->subscriptions.end())
        return broker::refusal{response_code::subscription_not_exist,
                               "the consumer group " + std::string{request.consumer_group} +
                                   " does not subscribe to " + std::string{request.topic}};
    if (subscription->second.data.version < request.subscription_version)
        return broker::refusal{
            response_code::subscription_not_latest,
            "the subscription registered by heartbeat is older than the pull's; retry after the next one"};
    filter = subscription->second.filter;
    return std::nullopt;
}

} // namespace

std::chrono::milliseconds hold_of(const protocol::pull_message_request& request,
                                  const config::node_config& config) {
    if (!request.has(protocol::pull_flag::suspend))
        return std::chrono::milliseconds{0};
    const auto wanted = config.long_polling
                            ? std::chrono::milliseconds{std::max<std::int64_t>(request.suspend_timeout_ms, 0)}
                            : config.short_polling_time;
    return std::min(wanted, limits::max_suspend);
}

std::optional<checked_pull> check_pull(const protocol::pull_message_request& request,
                                       const session_environment& environment, broker::refusal& refused,
                                       const protocol::tag_filter* heard) {
    const auto& config = *environment.config;
    checked_pull pull;
    auto why = check_group(request.consumer_group, environment);
    const auto topic = environment.view->find_topic(request.topic);
    if (!why)
        why = check_topic(request, topic);
    if (!why)
        why = find_filter(request, environment, heard, pull.filter);
    if (why) {
        refused = std::move(*why);
        return std::nullopt;
    }
    pull.range = {{topic->id, request.queue}, request.offset, 0, 0};
    pull.range.max_messages = static_cast<std::size_t>(
        std::clamp(request.max_messages, 1, static_cast<std::int32_t>(config.max_pull_messages)));
    const auto asked_bytes = request.max_message_bytes > 0
                                 ? static_cast<std::size_t>(request.max_message_bytes)
                                 : std::size_t{config.max_pull_bytes};
    pull.range.max_bytes = std::min(asked_bytes, limits::max_pull_bytes);
    pull.hold = hold_of(request, config);
    return pull;
}

} // namespace holdfast::actors
