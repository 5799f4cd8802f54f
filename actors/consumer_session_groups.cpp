// consumer_session: what concerns groups: offsets, membership, locks.
#include "actors/consumer_session.hpp"

#include "actors/creation_limits.hpp"
#include "actors/limits.hpp"
#include "protocol/names.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>
#include <map>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

// --- offsets
// ----------------------------------------------------------------------------------------------------------

broker::topic_ptr consumer_session_state::existing_topic(std::string_view name, queue_number queue) {
    auto topic = environment_->view->find_topic(name);
    if (!topic) {
        refuse(response_code::topic_not_exist, "the topic " + std::string{name} + " does not exist");
        return nullptr;
    }
    if (queue.value() >= std::max(topic->read_queues, topic->write_queues)) {
        refuse(response_code::system_error,
               "queueId " + std::to_string(queue.value()) + " is outside the topic " + topic->name);
        return nullptr;
    }
    return topic;
}

void consumer_session_state::update_offset() {
    const auto request = decode<protocol::update_consumer_offset_request>();
    if (!request)
        return;
    if (const auto named = protocol::check_group_name(request->consumer_group); !named.ok())
        return refuse(response_code::system_error, named.failure().message);
    if (request->commit_offset < queue_offset{0})
        return refuse(response_code::system_error, "commitOffset must not be negative");
    const auto topic = existing_topic(request->topic, request->queue);
    if (!topic)
        return;
    const queue_key queue{topic->id, request->queue};
    if (!pulled_.means_another(request->consumer_group, request->topic, queue))
        return commit(request->consumer_group, queue, request->commit_offset, !command_.is_oneway());
    spdlog::debug("{} commits offset {} of the group {} for a topic {} that is gone: ignored",
                  connection_->peer().text, request->commit_offset.value(), request->consumer_group,
                  request->topic);
    if (!command_.is_oneway())
        protocol::append_success(answers_, protocol::answer_to::of(command_));
}

// Operators' tools neither join a group nor pull for it, and wait for an answer. A consumer that comes back
// on a new connection commits before it joins again.
bool consumer_session_state::is_consumer(std::string_view group) const {
    return joined_.contains(group) || pulled_.has_pulled_for(group);
}

void consumer_session_state::commit(std::string_view group, queue_key queue, queue_offset next,
                                    bool answered) {
    auto request = std::make_shared<offsets_commit_request>();
    request->group = group;
    request->commit = {std::string{group}, queue, next};
    request->connection = connection_;
    request->answered = answered;
    request->by_tool = answered && !is_consumer(group);
    request->answer = protocol::answer_to::of(command_);
    self_->send(environment_->directory, commit_atom::value, offsets_commit_request_ptr{std::move(request)});
}

void consumer_session_state::query_offset() {
    const auto request = decode<protocol::query_consumer_offset_request>();
    if (!request)
        return;
    const auto topic = environment_->view->find_topic(request->topic);
    const auto to = protocol::answer_to::of(command_);
    // A topic that is not there has no offsets: the one case in which "nothing stored" is known without
    // asking.
    if (!topic)
        return when_leading([this, to, name = std::string{request->topic}] {
            protocol::append_failure(answers_, to, response_code::query_not_found,
                                     "the topic " + name + " does not exist, so no offset is stored");
        });
    when_leading([this, to, group = std::string{request->consumer_group},
                  queue = queue_key{topic->id, request->queue},
                  zero_forbidden = request->set_zero_if_not_found == false] {
        answer_offset(group, queue, to, zero_forbidden);
    });
}

void consumer_session_state::answer_offset(const std::string& group, queue_key queue,
                                           const protocol::answer_to& to, bool zero_forbidden) {
    self_->request(environment_->directory, limits::request_timeout, query_atom::value, group, queue)
        .then(
            [this, to, queue, zero_forbidden](std::int64_t stored) {
                const auto bounds = environment_->view->queues().bounds(queue);
                if (stored >= 0)
                    protocol::append_response(answers_, to, protocol::offset_response{queue_offset{stored}});
                else if (stored == no_offset_in_queue)
                    // The group knows the topic, so the queue is new to it: whatever the clients' policy for
                    // new groups is, it skips nothing.
                    protocol::append_response(answers_, to, protocol::offset_response{bounds.first});
                else if (bounds.first == queue_offset{0} && !zero_forbidden)
                    // Nothing was ever removed, so a new group starts at the beginning and skips nothing
                    // (protocol reference 3.4).
                    protocol::append_response(answers_, to, protocol::offset_response{queue_offset{0}});
                else
                    protocol::append_failure(answers_, to, response_code::query_not_found,
                                             "the group has no offset stored for this queue");
                send_answers();
            },
            [this](const caf::error&) {
                // Trap T1: any error would be taken for "no offset stored", and the group would jump to the
                // end.
                spdlog::warn("no answer to an offset query of {}: the group did not answer in time",
                             connection_->peer().text);
            });
}

void consumer_session_state::bounds_of_queue() {
    const auto request = decode<protocol::get_max_offset_request>();
    if (!request)
        return;
    const bool wants_max = command_.request() == request_code::get_max_offset;
    when_leading([this, wants_max, name = std::string{request->topic}, queue = request->queue,
                  to = protocol::answer_to::of(command_)] {
        const auto topic = environment_->view->find_topic(name);
        protocol::offset_response answer{queue_offset{wants_max ? 0 : -1}};
        if (topic && queue.value() < std::max(topic->read_queues, topic->write_queues)) {
            const auto bounds = environment_->view->queues().bounds({topic->id, queue});
            answer.offset = wants_max ? bounds.last : bounds.first;
        }
        protocol::append_response(answers_, to, answer);
    });
}

// --- membership
// -------------------------------------------------------------------------------------------------------

// Every stock client has an id, and lists of members name it to everybody.
bool consumer_session_state::check_client_id(std::string_view id) {
    if (!id.empty() && id.size() <= protocol::limits::max_client_id_bytes)
        return true;
    refuse(response_code::system_error, "a client id has 1 to " +
                                            std::to_string(protocol::limits::max_client_id_bytes) +
                                            " bytes, not " + std::to_string(id.size()));
    return false;
}

void consumer_session_state::heart_beat() {
    auto beat = protocol::decode_heartbeat(command_.body());
    if (!beat.ok())
        return refuse(response_code::system_error, beat.failure().message);
    if (!check_client_id(beat->client_id))
        return;
    const auto to = protocol::answer_to::of(command_);
    struct progress {
        std::size_t left;
        std::string failure;
    };
    const auto state =
        std::make_shared<progress>(progress{beat->consumers.size(), register_producers(*beat)});
    const auto finish = [this, to, state, oneway = command_.is_oneway()] {
        if (oneway)
            return;
        if (state->failure.empty())
            protocol::append_success(answers_, to);
        else
            protocol::append_failure(answers_, to, response_code::system_error, state->failure);
        send_answers();
    };
    if (beat->consumers.empty())
        return finish();
    for (auto& consumer : beat->consumers) {
        if (const auto why = unwilling_to_join(consumer.group); !why.empty()) {
            state->failure = why;
            if (--state->left == 0)
                finish();
            continue;
        }
        joined_.insert(consumer.group);
        auto member = std::make_shared<group_member>();
        member->connection = connection_;
        member->client_id = beat->client_id;
        member->language = command_.language();
        member->version = command_.version();
        member->consumer = std::move(consumer);
        self_
            ->request(environment_->directory, limits::request_timeout, join_atom::value,
                      group_member_ptr{std::move(member)})
            .then(
                [state, finish](bool) {
                    if (--state->left == 0)
                        finish();
                },
                [state, finish](const caf::error&) {
                    state->failure = "the group could not be registered, the broker takes no changes now";
                    if (--state->left == 0)
                        finish();
                });
    }
}

// Why this group can have no member; nothing when it can.
std::string consumer_session_state::unwilling_to_join(std::string_view group) const {
    if (const auto named = protocol::check_group_name(group); !named.ok())
        return named.failure().message;
    auto why = no_room_for_group(*environment_, group);
    if (!why)
        why = no_room_for_topic(*environment_, protocol::retry_topic_of(group));
    return why ? why->remark : std::string{};
}

// Whom the broker asks about transactions. Says what went wrong, or nothing.
std::string consumer_session_state::register_producers(const protocol::heartbeat& beat) {
    std::string failure;
    std::vector<std::string> came;
    for (const auto& group : beat.producer_groups) {
        if (group.size() > limits::max_producer_group_bytes)
            continue; // nobody can have sent a message as this group
        const auto received = environment_->producers->heard(
            group, {connection_, beat.client_id, command_.language(), command_.version()},
            self_->clock().now());
        if (received == producer_connections::reception::first)
            came.push_back(group);
        else if (received == producer_connections::reception::refused)
            failure = "this broker has its limit of producers";
    }
    if (!came.empty())
        self_->send(environment_->transactions, joined_atom::value, std::move(came));
    return failure;
}

void consumer_session_state::unregister() {
    const auto request = decode<protocol::unregister_client_request>();
    if (!request)
        return;
    environment_->producers->left(request->producer_group, connection_->id());
    if (const auto joined = joined_.find(request->consumer_group); joined != joined_.end()) {
        self_->send(environment_->directory, leave_atom::value, *joined, connection_->id());
        joined_.erase(joined);
    }
    if (!command_.is_oneway())
        protocol::append_success(answers_, protocol::answer_to::of(command_));
}

void consumer_session_state::list_members() {
    const auto request = decode<protocol::get_consumer_list_request>();
    if (!request)
        return;
    const auto group = environment_->groups->find(request->consumer_group);
    if (!group)
        return refuse(response_code::system_error,
                      "no consumer of the group " + std::string{request->consumer_group} + " is connected");
    std::vector<std::string> ids;
    ids.reserve(group->members.size());
    for (const auto& member : group->members)
        ids.push_back(member.client_id);
    protocol::append_success(answers_, protocol::answer_to::of(command_),
                             as_bytes(protocol::encode_consumer_ids(ids)));
}

void consumer_session_state::check_client_config() {
    const auto check = protocol::decode_client_config_check(command_.body());
    if (!check.ok())
        return refuse(response_code::system_error, check.failure().message);
    if (check->subscription.expression_type != "TAG")
        return refuse(response_code::system_error,
                      "this broker filters by tag only, not by " + check->subscription.expression_type);
    protocol::append_success(answers_, protocol::answer_to::of(command_));
}

// --- locks
// ------------------------------------------------------------------------------------------------------------

// Protocol reference 3.5. The client is who the body says: one connection may speak for others (a proxy).
void consumer_session_state::lock(bool unlocks) {
    auto body = protocol::decode_lock_batch(command_.body());
    if (!body.ok())
        return refuse(response_code::system_error, body.failure().message);
    if (const auto named = protocol::check_group_name(body->consumer_group); !named.ok())
        return refuse(response_code::system_error, named.failure().message);
    if (!check_client_id(body->client_id))
        return;
    // Queues that are not there can't be locked; the answer does not name them.
    std::map<queue_key, protocol::message_queue> wanted;
    for (auto& queue : body->queues) {
        const auto topic = environment_->view->find_topic(queue.topic);
        const auto count = topic ? std::max(topic->read_queues, topic->write_queues) : 0;
        if (queue.queue_id >= 0 && static_cast<std::uint32_t>(queue.queue_id) < count)
            wanted.try_emplace({topic->id, queue_number{static_cast<std::uint32_t>(queue.queue_id)}},
                               std::move(queue));
    }
    auto request = std::make_shared<queue_lock_request>();
    request->group = std::move(body->consumer_group);
    request->client_id = std::move(body->client_id);
    request->unlocks = unlocks;
    for (auto& [queue, name] : wanted) {
        request->queues.push_back(queue);
        request->names.push_back(std::move(name));
    }
    if (!command_.is_oneway())
        request->connection = connection_;
    request->answer = protocol::answer_to::of(command_);
    self_->send(environment_->directory, lock_atom::value, queue_lock_request_ptr{std::move(request)});
}

} // namespace holdfast::actors
