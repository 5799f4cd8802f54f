#include "actors/admin.hpp"

#include "actors/answer_chunks.hpp"
#include "actors/creation_limits.hpp"
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/producer_admin.hpp"
#include "actors/session_failure.hpp"
#include "protocol/admin_bodies.hpp"
#include "protocol/names.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>
#include <set>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

void admin_state::set_up(admin_actor::pointer self,
                         std::function<std::shared_ptr<const session_environment>()> environment) {
    self_ = self;
    find_environment_ = std::move(environment);
}

void admin_state::remember_environment() {
    if (environment_)
        return;
    environment_ = find_environment_();
    group_progress_.emplace(self_, environment_);
    started_ = environment_->wall_clock();
}

void admin_state::make_builtin_topics() {
    remember_environment();
    const auto& config = *environment_->config;
    constexpr auto everything = broker::permission::read_write | broker::permission::inherit;
    constexpr std::uint32_t cluster_queues = 16;
    const auto topic = [](const std::string& name, std::uint32_t queues, std::uint32_t permissions) {
        broker::topic_config made;
        made.name = name;
        made.read_queues = made.write_queues = queues;
        made.permissions = permissions;
        return made;
    };
    std::vector<broker::topic_config> wanted;
    if (config.cluster_topic)
        wanted.push_back(topic(config.cluster_name, cluster_queues, everything));
    if (config.broker_topic)
        wanted.push_back(topic(config.broker_name, 1, everything));
    if (config.trace_topic)
        wanted.push_back(topic(config.trace_topic_name, 1, broker::permission::read_write));
    // Where transactions go that nobody decides (protocol reference 6.11).
    wanted.push_back(topic(std::string{protocol::check_exhausted_topic}, 1, broker::permission::read_write));
    broker::entry_draft draft;
    for (const auto& made : wanted)
        if (!environment_->view->find_topic(made.name))
            draft.add(broker::command_kind::topic_put, broker::encode(made));
    if (!draft.empty())
        append(nullptr, std::move(draft), "made the built-in topics");
}

void admin_state::frames(const admin_job& job) {
    remember_environment();
    for (const auto index : job.frames->chosen) {
        if (decode_frame(job.frames->frames, index, *job.connection, command_))
            dispatch(job.connection);
        if (answers_.size() > limits::answer_chunk_bytes && !send_chunk(*job.connection, answers_))
            return;
    }
    if (!answers_.empty())
        job.connection->send(answers_.release());
}

void admin_state::dispatch(const connection_ptr& from) {
    switch (command_.request()) {
    case request_code::update_and_create_topic:
        return put_topic(from);
    case request_code::delete_topic_in_broker:
        return delete_topic(from);
    case request_code::update_and_create_subscription_group:
        return put_group(from);
    case request_code::delete_subscription_group:
        return delete_group(from);
    case request_code::get_all_topic_config:
        return all_topics();
    case request_code::get_all_subscription_group_config:
        return all_groups();
    case request_code::get_topic_stats_info:
        return topic_stats();
    case request_code::get_consume_stats:
        return consume_stats();
    case request_code::get_consumer_connection_list:
        return consumer_connections();
    case request_code::query_topic_consume_by_who:
        return topic_consumers();
    case request_code::get_broker_runtime_info:
        return runtime_info();
    case request_code::get_system_topic_list_from_broker:
        return system_topics();
    case request_code::get_producer_connection_list:
    case request_code::get_all_producer_info:
        return answer_about_producers(*environment_, self_->clock().now(), command_, answers_);
    default:
        if (!group_progress_->handle(from, command_))
            refuse(response_code::request_code_not_supported,
                   " request type " + std::to_string(command_.code()) + " not supported");
        return;
    }
}

template <class Request>
std::optional<Request> admin_state::decode() {
    auto request = protocol::decode_header<Request>(command_);
    if (request.ok())
        return std::move(*request);
    refuse(response_code::system_error, request.failure().message);
    return std::nullopt;
}

// --- changes
// ----------------------------------------------------------------------------------------------------------

std::optional<broker::refusal> admin_state::check_topic_change(std::string_view topic) const {
    if (const auto named = protocol::check_topic_name(topic); !named.ok())
        return broker::refusal{response_code::system_error, named.failure().message};
    const auto& config = *environment_->config;
    if (protocol::is_reserved_topic(topic) || topic == config.cluster_name || topic == config.broker_name)
        return broker::refusal{response_code::system_error, "the topic name " + std::string{topic} +
                                                                " is the broker's own; choose another"};
    return std::nullopt;
}

void admin_state::put_topic(const connection_ptr& from) {
    const auto request = decode<protocol::update_topic_request>();
    if (!request)
        return;
    if (const auto why = check_topic_change(request->topic))
        return refuse(why->code, why->remark);
    if (const auto why = no_room_for_topic(*environment_, request->topic))
        return refuse(why->code, why->remark);
    constexpr std::string_view multi_tag = "MULTI_TAG";
    if (!request->filter_type.empty() && request->filter_type != "SINGLE_TAG" &&
        request->filter_type != multi_tag)
        return refuse(response_code::system_error, "topicFilterType is SINGLE_TAG or MULTI_TAG");
    const auto in_range = [](std::int32_t queues) {
        return queues >= 1 && queues <= protocol::limits::max_queue_count;
    };
    if (!in_range(request->read_queue_count) || !in_range(request->write_queue_count))
        return refuse(response_code::system_error, "a topic has from 1 to " +
                                                       std::to_string(protocol::limits::max_queue_count) +
                                                       " queues to read and to write");
    if ((request->permission & ~(protocol::permission::read_write | protocol::permission::inherit)) != 0)
        return refuse(response_code::system_error, "perm is a sum of 4 (read), 2 (write) and 1 (inherit)");
    broker::topic_config topic;
    topic.name = request->topic;
    topic.read_queues = static_cast<std::uint32_t>(request->read_queue_count);
    topic.write_queues = static_cast<std::uint32_t>(request->write_queue_count);
    topic.permissions = static_cast<std::uint32_t>(request->permission);
    topic.sys_flag = static_cast<std::uint32_t>(request->sys_flag);
    topic.order = request->is_ordered;
    topic.multi_tags = request->filter_type == multi_tag;
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_put, broker::encode(topic));
    append(from, std::move(draft), "put the topic " + topic.name);
}

void admin_state::delete_topic(const connection_ptr& from) {
    const auto request = decode<protocol::delete_topic_request>();
    if (!request)
        return;
    if (const auto why = check_topic_change(request->topic))
        return refuse(why->code, why->remark);
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_delete, request->topic);
    append(from, std::move(draft), "deleted the topic " + std::string{request->topic});
}

void admin_state::put_group(const connection_ptr& from) {
    const auto body = protocol::decode_group_config(command_.body());
    if (!body.ok())
        return refuse(response_code::system_error, body.failure().message);
    if (const auto named = protocol::check_group_name(body->name); !named.ok())
        return refuse(response_code::system_error, named.failure().message);
    if (const auto why = no_room_for_group(*environment_, body->name))
        return refuse(why->code, why->remark);
    if (body->retry_queue_count < 0 || body->retry_queue_count > protocol::limits::max_queue_count)
        return refuse(response_code::system_error, "retryQueueNums is out of range");
    broker::group_config group;
    group.name = body->name;
    group.consume_enable = body->consume_enable;
    group.consume_from_min_enable = body->consume_from_min_enable;
    group.consume_broadcast_enable = body->consume_broadcast_enable;
    group.notify_consumer_ids_changed = body->notify_consumer_ids_changed;
    group.retry_queues = static_cast<std::uint32_t>(body->retry_queue_count);
    group.retry_max_times = static_cast<std::uint32_t>(std::max(body->retry_max_times, 0));
    group.broker_id = body->broker_id;
    group.which_broker_when_slow = body->which_broker_when_consume_slowly;
    broker::entry_draft draft;
    draft.add(broker::command_kind::group_put, broker::encode(group));
    append(from, std::move(draft), "put the group " + group.name);
}

void admin_state::delete_group(const connection_ptr& from) {
    const auto request = decode<protocol::delete_subscription_group_request>();
    if (!request)
        return;
    if (const auto named = protocol::check_group_name(request->group); !named.ok())
        return refuse(response_code::system_error, named.failure().message);
    broker::entry_draft draft;
    draft.add(broker::command_kind::group_delete, request->group);
    append(from, std::move(draft), "deleted the group " + std::string{request->group});
}

void admin_state::append(const connection_ptr& from, broker::entry_draft draft, std::string what) {
    auto request = std::make_shared<append_request>();
    request->draft = std::move(draft);
    request->ticket = next_ticket_++;
    request->appender = self_;
    changes_[request->ticket] = {from, protocol::answer_to::of(command_), command_.is_oneway(),
                                 std::move(what)};
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void admin_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
        auto ended = changes_.extract(outcome.ticket);
        HOLDFAST_CHECK(!ended.empty());
        const auto& done = ended.mapped();
        if (!outcome.failure)
            spdlog::info("{} {}", done.connection ? done.connection->peer().text : "this node", done.what);
        if (!done.connection || done.oneway)
            continue;
        if (outcome.failure) {
            answer_failure(done.connection, done.answer, *outcome.failure);
            continue;
        }
        byte_buffer answer;
        protocol::append_success(answer, done.answer);
        done.connection->send(answer.release());
    }
}

// --- looking
// ----------------------------------------------------------------------------------------------------------

void admin_state::all_topics() {
    protocol::topic_config_table table;
    table.version.counter = static_cast<std::int64_t>(environment_->view->topics_version());
    for (const auto& topic : environment_->view->topics())
        table.topics[topic->name] = {topic->name,
                                     static_cast<std::int32_t>(topic->read_queues),
                                     static_cast<std::int32_t>(topic->write_queues),
                                     static_cast<std::int32_t>(topic->permissions),
                                     topic->multi_tags ? "MULTI_TAG" : "SINGLE_TAG",
                                     static_cast<std::int32_t>(topic->sys_flag),
                                     topic->order};
    succeed(protocol::encode_topic_configs(table));
}

void admin_state::all_groups() {
    protocol::group_config_table table;
    for (const auto& group : environment_->view->groups())
        table.groups[group->name] = {group->name,
                                     group->consume_enable,
                                     group->consume_from_min_enable,
                                     group->consume_broadcast_enable,
                                     static_cast<std::int32_t>(group->retry_queues),
                                     static_cast<std::int32_t>(group->retry_max_times),
                                     group->broker_id,
                                     group->which_broker_when_slow,
                                     group->notify_consumer_ids_changed};
    succeed(protocol::encode_group_configs(table));
}

void admin_state::topic_stats() {
    const auto request = decode<protocol::get_topic_stats_request>();
    if (!request)
        return;
    const auto topic = environment_->view->find_topic(request->topic);
    if (!topic)
        return refuse(response_code::topic_not_exist,
                      "the topic " + std::string{request->topic} + " does not exist");
    protocol::topic_stats stats;
    for (std::uint32_t queue = 0; queue < std::max(topic->read_queues, topic->write_queues); ++queue) {
        const auto bounds = environment_->view->queues().bounds({topic->id, queue_number{queue}});
        stats[{topic->name, environment_->config->broker_name, static_cast<std::int32_t>(queue)}] = {
            bounds.first, bounds.last, timestamp_ms{0}};
    }
    succeed(protocol::encode_topic_stats(stats));
}

void admin_state::consume_stats() {
    const auto request = decode<protocol::get_consume_stats_request>();
    if (!request)
        return;
    std::set<std::string> topics;
    if (!request->topic.empty()) {
        topics.emplace(request->topic);
    } else {
        if (const auto members = environment_->groups->find(request->consumer_group))
            for (const auto& [topic, subscription] : members->subscriptions)
                topics.insert(topic);
        for (const auto& topic : environment_->view->topics())
            for (const auto& group : environment_->view->groups_with_offsets_in(topic->id))
                if (group == request->consumer_group)
                    topics.insert(topic->name);
    }
    protocol::consume_stats stats;
    for (const auto& name : topics) {
        const auto topic = environment_->view->find_topic(name);
        for (std::uint32_t queue = 0; topic && queue < topic->read_queues; ++queue) {
            const queue_key key{topic->id, queue_number{queue}};
            const auto bounds = environment_->view->queues().bounds(key);
            const auto offset =
                environment_->view->offset(request->consumer_group, key).value_or(bounds.first);
            stats.queues[{name, environment_->config->broker_name, static_cast<std::int32_t>(queue)}] = {
                bounds.last, offset, timestamp_ms{0}};
        }
    }
    succeed(protocol::encode_consume_stats(stats));
}

void admin_state::consumer_connections() {
    const auto request = decode<protocol::get_consumer_connections_request>();
    if (!request)
        return;
    const auto group = environment_->groups->find(request->consumer_group);
    if (!group)
        return refuse(response_code::consumer_not_online,
                      "no consumer of the group " + std::string{request->consumer_group} + " is connected");
    protocol::consumer_connections connections;
    connections.connections = group->members;
    connections.type = group->type;
    connections.model = group->model;
    connections.from = group->from;
    for (const auto& [topic, subscription] : group->subscriptions)
        connections.subscriptions[topic] = subscription.data;
    succeed(protocol::encode_consumer_connections(connections));
}

void admin_state::topic_consumers() {
    const auto request = decode<protocol::query_topic_consumers_request>();
    if (!request)
        return;
    const auto live = environment_->groups->subscribers_of(request->topic);
    std::set<std::string> groups{live.begin(), live.end()};
    if (const auto topic = environment_->view->find_topic(request->topic))
        for (const auto& group : environment_->view->groups_with_offsets_in(topic->id))
            groups.insert(group);
    succeed(protocol::encode_group_list({groups.begin(), groups.end()}));
}

// Protocol reference 10.2, as far as it has a meaning here.
void admin_state::runtime_info() {
    const auto marks = environment_->view->marks();
    const auto put = environment_->counters->messages_put.load(std::memory_order_relaxed);
    const auto got = environment_->counters->messages_got.load(std::memory_order_relaxed);
    protocol::text_table table{
        {"brokerVersion", std::to_string(protocol::version::announced)},
        {"brokerVersionDesc", "Holdfast 0.1.0"},
        {"bootTimestamp", std::to_string(started_.value())},
        {"messagesPutSinceStart", std::to_string(put)},
        {"messagesGotSinceStart", std::to_string(got)},
        {"commitLogMinOffset", std::to_string(marks.first.value())},
        {"commitLogMaxOffset", std::to_string(marks.applied.value())},
        {"remainHowManyDataToFlush", std::to_string(marks.appended - marks.flushed) + " B"},
        {"dispatchBehindBytes", std::to_string(marks.committed - marks.applied)},
        {"health", environment_->health->takes_messages() ? "healthy" : environment_->health->reason()},
    };
    succeed(protocol::encode_text_table(table));
}

void admin_state::system_topics() {
    const protocol::topic_list list{{environment_->config->cluster_name, environment_->config->broker_name},
                                    environment_->broker_address};
    succeed(protocol::encode_topic_list(list));
}

// --- ends
// -------------------------------------------------------------------------------------------------------------

void admin_state::succeed(const std::string& body) {
    protocol::append_success(answers_, protocol::answer_to::of(command_), as_bytes(body));
}

void admin_state::refuse(response_code code, std::string_view remark) {
    spdlog::debug("refused request {} with code {}: {}", command_.code(), static_cast<int>(code), remark);
    if (!command_.is_oneway())
        protocol::append_failure(answers_, protocol::answer_to::of(command_), code, remark);
}

admin_actor::behavior_type admin(admin_actor::stateful_pointer<admin_state> self,
                                 std::function<std::shared_ptr<const session_environment>()> environment) {
    self->state.set_up(self, std::move(environment));
    return {
        [self](start_atom) { self->state.make_builtin_topics(); },
        [self](frames_atom, const admin_job_ptr& job) { self->state.frames(*job); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
    };
}

} // namespace holdfast::actors
